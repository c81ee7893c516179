//! The types the other side has defined, and values read by them.

use std::collections::BTreeMap;

use super::gob::{Reader, builtin};
use super::{ARGS_MAX, DEFINITION_BYTES_MAX, DEFINITIONS_MAX, DEPTH_MAX, FIELDS_MAX, WireError};

/// Numbers below this are Go's own.
const USER_ID_MIN: i64 = 64;

/// How the values of a type are written.
#[derive(Debug)]
enum Type {
    Bool,
    Int,
    Uint,
    Float,
    Bytes,
    Text,
    Complex,
    Interface,
    /// A slice or an array: written alike.
    List(i64),
    Struct(Vec<Field>),
    Map {
        key: i64,
        value: i64,
    },
    /// A type with an encoding of its own, which comes as bytes.
    Opaque,
}

#[derive(Debug, Default)]
struct Field {
    name: String,
    id: i64,
}

impl Type {
    fn kind(&self) -> &'static str {
        match self {
            Self::Bool => "a bool",
            Self::Int => "an int",
            Self::Uint => "a uint",
            Self::Float => "a float",
            Self::Bytes => "bytes",
            Self::Text => "a string",
            Self::Complex => "a complex number",
            Self::Interface => "an interface",
            Self::List(_) => "a list",
            Self::Struct(_) => "a struct",
            Self::Map { .. } => "a map",
            Self::Opaque => "a value with an encoding of its own",
        }
    }
}

/// The types that one side has defined on a connection.
#[derive(Debug, Default)]
pub(super) struct Types {
    defined: BTreeMap<i64, Type>,
}

impl Types {
    fn get(&self, id: i64) -> Result<&Type, WireError> {
        Ok(match id {
            builtin::BOOL => &Type::Bool,
            builtin::INT => &Type::Int,
            builtin::UINT => &Type::Uint,
            builtin::FLOAT => &Type::Float,
            builtin::BYTES => &Type::Bytes,
            builtin::TEXT => &Type::Text,
            builtin::COMPLEX => &Type::Complex,
            builtin::INTERFACE => &Type::Interface,
            _ => self.defined.get(&id).ok_or(WireError::UnknownType { id })?,
        })
    }

    /// Reads the definition of the type `id` from the rest of its message, `bytes` long.
    pub(super) fn define(&mut self, id: i64, reader: &mut Reader<'_>, bytes: usize) -> Result<(), WireError> {
        if bytes > DEFINITION_BYTES_MAX {
            return Err(limit("bytes in a definition", bytes, DEFINITION_BYTES_MAX));
        }
        if id < USER_ID_MIN || self.defined.contains_key(&id) {
            return Err(WireError::TakenType { id });
        }
        if self.defined.len() == DEFINITIONS_MAX {
            return Err(limit("definitions", self.defined.len() + 1, DEFINITIONS_MAX));
        }
        let mut definition = None;
        reader.fields(|number, reader| {
            definition = Some(match number {
                1 | 2 => Type::List(read_list(reader)?),
                3 => Type::Struct(read_struct(reader)?),
                4 => read_map(reader)?,
                5..=7 => {
                    reader.fields(|_, reader| read_common(reader))?;
                    Type::Opaque
                }
                _ => return Err(WireError::UnknownField { number }),
            });
            Ok(())
        })?;
        self.defined.insert(id, definition.ok_or(WireError::EmptyDefinition { id })?);
        Ok(())
    }
}

/// Name and number of a type: the name says nothing, and the number is that of the message.
fn read_common(reader: &mut Reader<'_>) -> Result<(), WireError> {
    reader.fields(|number, reader| match number {
        1 => reader.bytes().map(drop),
        2 => reader.int().map(drop),
        _ => Err(WireError::UnknownField { number }),
    })
}

/// The type of the elements of a list, or of an array, which has a length besides.
fn read_list(reader: &mut Reader<'_>) -> Result<i64, WireError> {
    let mut element = 0;
    reader.fields(|number, reader| {
        match number {
            1 => read_common(reader)?,
            2 => element = reader.int()?,
            3 => drop(reader.int()?),
            _ => return Err(WireError::UnknownField { number }),
        }
        Ok(())
    })?;
    Ok(element)
}

fn read_map(reader: &mut Reader<'_>) -> Result<Type, WireError> {
    let (mut key, mut value) = (0, 0);
    reader.fields(|number, reader| {
        match number {
            1 => read_common(reader)?,
            2 => key = reader.int()?,
            3 => value = reader.int()?,
            _ => return Err(WireError::UnknownField { number }),
        }
        Ok(())
    })?;
    Ok(Type::Map { key, value })
}

fn read_struct(reader: &mut Reader<'_>) -> Result<Vec<Field>, WireError> {
    let mut fields = Vec::new();
    reader.fields(|number, reader| {
        match number {
            1 => read_common(reader)?,
            2 => {
                let count = reader.count()?;
                if count > FIELDS_MAX {
                    return Err(limit("fields in a struct", count, FIELDS_MAX));
                }
                for _ in 0..count {
                    fields.push(read_field(reader)?);
                }
            }
            _ => return Err(WireError::UnknownField { number }),
        }
        Ok(())
    })?;
    Ok(fields)
}

fn read_field(reader: &mut Reader<'_>) -> Result<Field, WireError> {
    let mut field = Field::default();
    reader.fields(|number, reader| {
        match number {
            1 => field.name = reader.text()?,
            2 => field.id = reader.int()?,
            _ => return Err(WireError::UnknownField { number }),
        }
        Ok(())
    })?;
    Ok(field)
}

fn limit(what: &'static str, found: usize, max: usize) -> WireError {
    WireError::Limit { what, found: u64::try_from(found).unwrap_or(u64::MAX), max }
}

/// A value that has not been read yet.  Each method reads it to its end, or fails.
pub(super) struct Value<'v, 'a> {
    types: &'v Types,
    /// The field the value is in, for messages.
    name: &'v str,
    id: i64,
    reader: &'v mut Reader<'a>,
}

impl<'v, 'a> Value<'v, 'a> {
    /// The value of the type `id` that a message carries.
    pub(super) fn new(types: &'v Types, id: i64, reader: &'v mut Reader<'a>) -> Self {
        Self { types, name: "message", id, reader }
    }

    pub(super) fn bool(self) -> Result<bool, WireError> {
        match self.types.get(self.id)? {
            Type::Bool => Ok(self.reader.uint()? != 0),
            other => Err(self.wrong(other, "a bool")),
        }
    }

    pub(super) fn int(self) -> Result<i64, WireError> {
        match self.types.get(self.id)? {
            Type::Int => self.reader.int(),
            other => Err(self.wrong(other, "an int")),
        }
    }

    pub(super) fn uint(self) -> Result<u64, WireError> {
        match self.types.get(self.id)? {
            Type::Uint => self.reader.uint(),
            other => Err(self.wrong(other, "a uint")),
        }
    }

    pub(super) fn bytes(self) -> Result<Vec<u8>, WireError> {
        match self.types.get(self.id)? {
            Type::Bytes => Ok(self.reader.bytes()?.to_vec()),
            other => Err(self.wrong(other, "bytes")),
        }
    }

    pub(super) fn text(self) -> Result<String, WireError> {
        match self.types.get(self.id)? {
            Type::Text => self.reader.text(),
            other => Err(self.wrong(other, "a string")),
        }
    }

    pub(super) fn texts(self) -> Result<Vec<String>, WireError> {
        let element = match self.types.get(self.id)? {
            Type::List(element) => self.types.get(*element)?,
            other => return Err(self.wrong(other, "a list of strings")),
        };
        if !matches!(element, Type::Text) {
            return Err(self.wrong(element, "a list of strings"));
        }
        let count = self.reader.count()?;
        if count > ARGS_MAX {
            return Err(limit("arguments", count, ARGS_MAX));
        }
        (0..count).map(|_| self.reader.text()).collect()
    }

    /// Reads a struct, calling `field` with the name and value of each field that is there.
    pub(super) fn fields(
        self,
        mut field: impl FnMut(&str, Value<'_, 'a>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let Self { types, id, .. } = self;
        let fields = match types.get(id)? {
            Type::Struct(fields) => fields,
            other => return Err(self.wrong(other, "a struct")),
        };
        self.reader.fields(|number, reader| {
            let Field { name, id } = field_at(fields, number)?;
            field(name, Value { types, name, id: *id, reader })
        })
    }

    /// Reads the value and forgets it.
    pub(super) fn skip(self) -> Result<(), WireError> {
        skip(self.types, self.id, self.reader, DEPTH_MAX)
    }

    fn wrong(&self, found: &Type, expected: &'static str) -> WireError {
        WireError::WrongType { field: self.name.to_owned(), found: found.kind(), expected }
    }
}

fn field_at(fields: &[Field], number: u64) -> Result<&Field, WireError> {
    let index = usize::try_from(number - 1).ok();
    index.and_then(|index| fields.get(index)).ok_or(WireError::UnknownField { number })
}

fn skip(types: &Types, id: i64, reader: &mut Reader<'_>, depth_left: usize) -> Result<(), WireError> {
    let Some(depth_left) = depth_left.checked_sub(1) else {
        return Err(limit("values in each other", DEPTH_MAX + 1, DEPTH_MAX));
    };
    match types.get(id)? {
        Type::Bool | Type::Int | Type::Uint | Type::Float => reader.uint().map(drop),
        Type::Complex => reader.uint().and_then(|_| reader.uint()).map(drop),
        Type::Bytes | Type::Text | Type::Opaque => reader.bytes().map(drop),
        Type::List(element) => {
            (0..reader.count()?).try_for_each(|_| skip(types, *element, reader, depth_left))
        }
        Type::Map { key, value } => (0..reader.count()?).try_for_each(|_| {
            skip(types, *key, reader, depth_left)?;
            skip(types, *value, reader, depth_left)
        }),
        Type::Struct(fields) => reader.fields(|number, reader| {
            let field = field_at(fields, number)?;
            skip(types, field.id, reader, depth_left)
        }),
        // The name of the type, its number, and the value with its length before it.
        Type::Interface => {
            if !reader.bytes()?.is_empty() {
                reader.int()?;
                reader.bytes()?;
            }
            Ok(())
        }
    }
}
