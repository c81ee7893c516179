//! Numbers, texts and structs of gob, the self-describing encoding of Go.
//!
//! ```text
//! uint    below 128: the byte; else 256 - n, then n bytes, the highest first
//! int     (i << 1), or (!i << 1 | 1) when negative, as uint
//! text    uint length, bytes
//! list    uint count, elements
//! struct  for each field that is not zero: uint step from the last field number, value; then 0
//! ```

use super::WireError;

/// Numbers of the types that gob has built in.
pub(super) mod builtin {
    pub(crate) const BOOL: i64 = 1;
    pub(crate) const INT: i64 = 2;
    pub(crate) const UINT: i64 = 3;
    pub(crate) const FLOAT: i64 = 4;
    pub(crate) const BYTES: i64 = 5;
    pub(crate) const TEXT: i64 = 6;
    pub(crate) const COMPLEX: i64 = 7;
    pub(crate) const INTERFACE: i64 = 8;
}

/// The number that `bytes` begin with and its length; `None` when it is not all there yet.
pub(super) fn leading_uint(bytes: &[u8]) -> Result<Option<(u64, usize)>, WireError> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    if first < 0x80 {
        return Ok(Some((u64::from(first), 1)));
    }
    let length = usize::from(first.wrapping_neg());
    if length > size_of::<u64>() {
        return Err(WireError::Number { byte: first });
    }
    let Some(digits) = bytes.get(1..=length) else { return Ok(None) };
    let value = digits.iter().fold(0, |value, digit| value << 8 | u64::from(*digit));
    Ok(Some((value, 1 + length)))
}

/// Reads values from the front of one message.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn uint(&mut self) -> Result<u64, WireError> {
        let (value, length) = leading_uint(self.rest)?.ok_or(WireError::Truncated)?;
        self.rest = &self.rest[length..];
        Ok(value)
    }

    pub(super) fn int(&mut self) -> Result<i64, WireError> {
        let value = self.uint()?;
        let magnitude = (value >> 1).cast_signed();
        Ok(if value & 1 == 0 { magnitude } else { !magnitude })
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let length = self.uint()?;
        let length = usize::try_from(length).map_err(|_| WireError::Truncated)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A text.  Go's are bytes; what is not UTF-8 becomes U+FFFD, as on Go's own way into JSON.
    pub(super) fn text(&mut self) -> Result<String, WireError> {
        Ok(String::from_utf8_lossy(self.bytes()?).into_owned())
    }

    /// The number of elements that follow.  Each takes a byte at least, so more cannot follow than
    /// there are bytes left.
    pub(super) fn count(&mut self) -> Result<usize, WireError> {
        let count = usize::try_from(self.uint()?).map_err(|_| WireError::Truncated)?;
        if count > self.rest.len() {
            return Err(WireError::Truncated);
        }
        Ok(count)
    }

    /// Reads a struct: calls `field` with the number of each field, from 1, to read its value.
    pub(super) fn fields(
        &mut self,
        mut field: impl FnMut(u64, &mut Self) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let mut number = 0_u64;
        loop {
            let step = self.uint()?;
            if step == 0 {
                return Ok(());
            }
            number = number.checked_add(step).ok_or(WireError::UnknownField { number: step })?;
            field(number, self)?;
        }
    }
}

pub(super) fn put_uint(out: &mut Vec<u8>, value: u64) {
    let digits = value.to_be_bytes();
    if value < 0x80 {
        return out.push(digits[7]);
    }
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    let length = u8::try_from(digits.len() - zeros).expect("a number has at most eight bytes");
    out.push(length.wrapping_neg());
    out.extend_from_slice(&digits[zeros..]);
}

pub(super) fn put_int(out: &mut Vec<u8>, value: i64) {
    let sign = u64::from(value < 0);
    let magnitude = if value < 0 { !value } else { value };
    put_uint(out, magnitude.cast_unsigned() << 1 | sign);
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_uint(out, length(bytes.len()));
    out.extend_from_slice(bytes);
}

fn length(length: usize) -> u64 {
    u64::try_from(length).expect("lengths have at most 64 bits")
}

/// Writes the fields of one struct, in the order of their numbers; zero values are left out.
pub(super) struct Fields<'a> {
    out: &'a mut Vec<u8>,
    last: u64,
}

impl<'a> Fields<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, last: 0 }
    }

    /// Begins the field `number`, whose value the caller writes.
    pub(super) fn begin(&mut self, number: u64) -> &mut Vec<u8> {
        put_uint(self.out, number - self.last);
        self.last = number;
        self.out
    }

    pub(super) fn uint(mut self, number: u64, value: u64) -> Self {
        if value != 0 {
            put_uint(self.begin(number), value);
        }
        self
    }

    pub(super) fn int(mut self, number: u64, value: i64) -> Self {
        if value != 0 {
            put_int(self.begin(number), value);
        }
        self
    }

    pub(super) fn bool(self, number: u64, value: bool) -> Self {
        self.uint(number, u64::from(value))
    }

    pub(super) fn bytes(mut self, number: u64, value: &[u8]) -> Self {
        if !value.is_empty() {
            put_bytes(self.begin(number), value);
        }
        self
    }

    pub(super) fn text(self, number: u64, value: &str) -> Self {
        self.bytes(number, value.as_bytes())
    }

    pub(super) fn list<T>(mut self, number: u64, values: &[T], put: impl Fn(&mut Vec<u8>, &T)) -> Self {
        if !values.is_empty() {
            let out = self.begin(number);
            put_uint(out, length(values.len()));
            for value in values {
                put(out, value);
            }
        }
        self
    }

    /// A struct inside the struct, all of whose fields `put` writes.
    pub(super) fn inner(mut self, number: u64, put: impl FnOnce(Fields<'_>)) -> Self {
        put(Fields::new(self.begin(number)));
        self
    }

    pub(super) fn end(self) {
        self.out.push(0);
    }
}

/// Writes one message: a value of the type `id`, a struct.
pub(super) fn put_value(out: &mut Vec<u8>, id: i64, put: impl FnOnce(Fields<'_>)) {
    let mut message = Vec::new();
    put_int(&mut message, id);
    put(Fields::new(&mut message));
    put_bytes(out, &message);
}

/// Writes one message: a struct of the type `id` without a field that is not zero.
pub(super) fn put_empty_value(out: &mut Vec<u8>, id: i64) {
    put_value(out, id, |fields: Fields<'_>| fields.end());
}

/// Writes one message: the definition of the type `id` as a struct with these fields and their types.
pub(super) fn put_struct_definition(out: &mut Vec<u8>, id: i64, name: &str, fields: &[(&str, i64)]) {
    put_value(out, -id, |definition| {
        let definition = definition.inner(3, |of_struct| {
            let of_struct = of_struct.inner(1, |common| common.text(1, name).int(2, id).end());
            let put_field = |out: &mut Vec<u8>, (name, id): &(&str, i64)| {
                Fields::new(out).text(1, name).int(2, *id).end();
            };
            of_struct.list(2, fields, put_field).end();
        });
        definition.end();
    });
}

/// Writes one message: the definition of the type `id` as a list of `element`.
pub(super) fn put_list_definition(out: &mut Vec<u8>, id: i64, name: &str, element: i64) {
    put_value(out, -id, |definition| {
        let definition = definition.inner(2, |of_list| {
            let of_list = of_list.inner(1, |common| common.text(1, name).int(2, id).end());
            of_list.int(2, element).end();
        });
        definition.end();
    });
}
