//! What a built program is, from its first bytes: the ELF header.

use std::path::Path;

use super::PackError;

/// A program and what its header says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Executable {
    /// The architecture as Juju calls it, for example `amd64`.
    pub(super) architecture: &'static str,
    /// Whether it starts without a dynamic linker.
    pub(super) is_static: bool,
    pub(super) bytes: Vec<u8>,
}

/// Machines of ELF and what Juju calls them.
///
/// # Source
///
/// `e_machine` in `elf.h`; `core/arch/arch.go` of Juju.
const ARCHITECTURES: [(u16, &str); 6] =
    [(21, "ppc64el"), (22, "s390x"), (40, "armhf"), (62, "amd64"), (183, "arm64"), (243, "riscv64")];

/// The kind of program header that names a dynamic linker.
const PT_INTERP: u32 = 3;

impl Executable {
    /// Reads the program at `path`.
    pub(super) fn read(path: &Path) -> Result<Self, PackError> {
        let bytes =
            std::fs::read(path).map_err(|source| PackError::Read { path: path.to_owned(), source })?;
        Self::parse(bytes).map_err(|problem| PackError::Executable { path: path.to_owned(), problem })
    }

    /// Looks at the header that `bytes` begin with; otherwise, what is wrong with it.
    pub(super) fn parse(bytes: Vec<u8>) -> Result<Self, String> {
        let header = Header::parse(&bytes).ok_or("is not a program for Linux, expected ELF")?;
        let known = ARCHITECTURES.iter().find(|(machine, _)| *machine == header.machine);
        let (_, architecture) = known
            .ok_or_else(|| format!("is for machine {} of ELF, which Juju does not run on", header.machine))?;
        Ok(Self { architecture, is_static: !header.has_interpreter, bytes })
    }
}

struct Header {
    machine: u16,
    has_interpreter: bool,
}

impl Header {
    /// Reads the file header and the kinds of the program headers; `None` if it is no ELF.
    fn parse(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(b"\x7fELF") {
            return None;
        }
        let is_64 = match bytes.get(4)? {
            1 => false,
            2 => true,
            _ => return None,
        };
        let is_little = match bytes.get(5)? {
            1 => true,
            2 => false,
            _ => return None,
        };
        let number = |at: usize, length: usize| -> Option<u64> {
            let digits = bytes.get(at..at.checked_add(length)?)?;
            let push = |value: u64, digit: &u8| value << 8 | u64::from(*digit);
            Some(if is_little { digits.iter().rev().fold(0, push) } else { digits.iter().fold(0, push) })
        };
        let (offset, size, count) = if is_64 {
            (number(32, 8)?, number(54, 2)?, number(56, 2)?)
        } else {
            (number(28, 4)?, number(42, 2)?, number(44, 2)?)
        };
        let mut has_interpreter = false;
        for index in 0..count {
            let at = usize::try_from(offset.checked_add(index * size)?).ok()?;
            has_interpreter |= number(at, 4)? == u64::from(PT_INTERP);
        }
        Some(Self { machine: u16::try_from(number(18, 2)?).ok()?, has_interpreter })
    }
}

/// A program for tests: a header and nothing to run.
#[cfg(test)]
pub(super) fn fake(machine: u16, headers: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[18..20].copy_from_slice(&machine.to_le_bytes());
    bytes[32] = 64;
    bytes[54] = 56;
    bytes[56] = u8::try_from(headers.len()).unwrap();
    for kind in headers {
        bytes.extend(kind.to_le_bytes());
        bytes.extend([0; 52]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_an_interpreter_is_not_static() {
        for (headers, is_static) in [(&[6, 1, 1][..], true), (&[6, 3, 1], false), (&[], true)] {
            let executable = Executable::parse(fake(62, headers)).unwrap();
            assert_eq!((executable.architecture, executable.is_static), ("amd64", is_static));
        }
    }

    #[test]
    fn headers_of_32_bits_and_of_the_other_byte_order_are_read() {
        let mut bytes = vec![0; 52];
        bytes[..6].copy_from_slice(b"\x7fELF\x01\x01");
        bytes[18] = 40;
        assert_eq!(Executable::parse(bytes).unwrap().architecture, "armhf");

        let mut bytes = vec![0; 64 + 56];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x02");
        bytes[19] = 22;
        bytes[39] = 64;
        bytes[55] = 56;
        bytes[57] = 1;
        bytes[67] = 3;
        let executable = Executable::parse(bytes).unwrap();
        assert_eq!((executable.architecture, executable.is_static), ("s390x", false));
    }

    #[test]
    fn this_very_test_is_a_program() {
        let executable = Executable::read(&std::env::current_exe().unwrap()).unwrap();
        assert!(ARCHITECTURES.iter().any(|(_, name)| *name == executable.architecture));
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let no_elf = "is not a program for Linux, expected ELF";
        let mut cut = fake(62, &[1, 1]);
        cut.truncate(100);
        let mut far = fake(62, &[1]);
        far[32..40].fill(0xff);
        for (bytes, expected) in [
            (b"#!/bin/sh\n".to_vec(), no_elf),
            (b"\x7fELF".to_vec(), no_elf),
            (Vec::new(), no_elf),
            (cut, no_elf),
            (far, no_elf),
            (fake(3, &[]), "is for machine 3 of ELF, which Juju does not run on"),
        ] {
            assert_eq!(Executable::parse(bytes).unwrap_err(), expected);
        }
    }
}
