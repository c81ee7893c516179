//! Whether a text is what it should be: certificates, or a private key, in PEM form.

use std::fmt;

/// How long the label of a block may be; the longest in use have about half of that.
const LABEL_BYTES_MAX: usize = 40;

/// What a PEM text should hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PemKind {
    /// One certificate or more.
    Certificates,
    /// One private key, of any algorithm, not encrypted.
    PrivateKey,
}

impl PemKind {
    fn is_label(self, label: &str) -> bool {
        match self {
            Self::Certificates => matches!(label, "CERTIFICATE" | "TRUSTED CERTIFICATE" | "X509 CERTIFICATE"),
            Self::PrivateKey => {
                matches!(label, "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY")
            }
        }
    }
}

/// Why a text is not what it should be.  Never repeats the text: it may be a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PemError {
    /// There is no block between `BEGIN` and `END` lines.
    Missing {
        /// What was expected.
        kind: PemKind,
    },
    /// A block is of another kind.
    Label {
        /// What was found.
        found: String,
        /// What was expected.
        kind: PemKind,
    },
    /// A block does not end, or is not base64.
    Broken {
        /// The label of the block.
        label: String,
    },
}

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = |kind: &PemKind| match kind {
            PemKind::Certificates => "a certificate in PEM form (`-----BEGIN CERTIFICATE-----` ...)",
            PemKind::PrivateKey => {
                "a private key in PEM form (`-----BEGIN PRIVATE KEY-----` ...), not encrypted"
            }
        };
        match self {
            Self::Missing { kind } => {
                write!(f, "no PEM block found, expected {} on lines of its own", expected(kind))
            }
            Self::Label { found, kind } => write!(f, "found a block `{found}`, expected {}", expected(kind)),
            Self::Broken { label } => {
                write!(f, "the block `{label}` is broken, expected base64 up to `-----END {label}-----`")
            }
        }
    }
}

impl std::error::Error for PemError {}

/// Checks that `text` holds what `kind` says, as far as can be told without reading certificates.
///
/// Text between the blocks is ignored, as every reader of PEM does.
///
/// # Errors
///
/// [`PemError`]; blocks of parameters before an EC key are fine.
pub fn check(text: &str, kind: PemKind) -> Result<(), PemError> {
    let mut found = 0;
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let label = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----"));
        // A block whose line ends were lost has the whole key on the line of its label: no label is taken
        // from it, so that no message repeats it.
        let Some(label) = label.filter(|label| is_label(label)) else { continue };
        let broken = || PemError::Broken { label: label.to_owned() };
        let end = format!("-----END {label}-----");
        let mut body = String::new();
        loop {
            match lines.next() {
                Some(line) if line == end => break,
                Some(line) => body.push_str(line),
                None => return Err(broken()),
            }
        }
        if label == "EC PARAMETERS" {
            continue;
        }
        if !kind.is_label(label) {
            return Err(PemError::Label { found: label.to_owned(), kind });
        }
        // Every certificate and key is one DER sequence: its first byte, 0x30, gives `M`.
        if !is_base64(&body) || !body.starts_with('M') {
            return Err(broken());
        }
        found += 1;
    }
    if found == 0 { Err(PemError::Missing { kind }) } else { Ok(()) }
}

/// Whether a text can be the label of a block.
fn is_label(text: &str) -> bool {
    text.len() <= LABEL_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b' ' || byte.is_ascii_digit())
}

fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    text.len() >= 16
        && text.len().is_multiple_of(4)
        && text.len() - digits.len() <= 2
        && digits.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "MIIBszCCAVmgAwIBAgIUQ0FfbmFtZQ==";

    fn block(label: &str, body: &str) -> String {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    #[test]
    fn certificates_and_keys_are_told_apart() {
        let chain = format!("subject=x\n{}{}", block("CERTIFICATE", BODY), block("CERTIFICATE", BODY));
        assert_eq!(check(&chain, PemKind::Certificates), Ok(()));
        let key = format!("{}{}", block("EC PARAMETERS", "BggqhkjOPQMBBw=="), block("EC PRIVATE KEY", BODY));
        assert_eq!(check(&key, PemKind::PrivateKey), Ok(()));
        let error = check(&key, PemKind::Certificates).expect_err("a key");
        assert_eq!(
            error.to_string(),
            "found a block `EC PRIVATE KEY`, expected a certificate in PEM form (`-----BEGIN CERTIFICATE-----` ...)"
        );
    }

    #[test]
    fn what_is_no_pem_is_refused_without_showing_it() {
        for text in ["", "secret", "-----BEGIN CERTIFICATE", &block("CERTIFICATE", BODY)[3..]] {
            let error = check(text, PemKind::Certificates).expect_err("no PEM");
            assert_eq!(error, PemError::Missing { kind: PemKind::Certificates }, "`{text}`");
        }
        for text in [
            &block("CERTIFICATE", "secret"),
            &block("CERTIFICATE", "MIIB not base64!"),
            "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ0FfbmFtZQ==",
        ] {
            let error = check(text, PemKind::Certificates).expect_err("broken");
            assert_eq!(
                error.to_string(),
                "the block `CERTIFICATE` is broken, expected base64 up to `-----END CERTIFICATE-----`"
            );
        }
    }

    #[test]
    fn a_key_whose_line_ends_were_lost_is_not_repeated() {
        for joint in [" ", "", "\t"] {
            let text = block("PRIVATE KEY", BODY).trim_end().replace('\n', joint);
            for kind in [PemKind::PrivateKey, PemKind::Certificates] {
                let error = check(&text, kind).expect_err("one line");
                assert_eq!(error, PemError::Missing { kind });
                assert!(!error.to_string().contains("MIIB"), "{error}");
            }
        }
    }

    #[test]
    fn an_encrypted_key_is_refused() {
        let text = block("ENCRYPTED PRIVATE KEY", BODY);
        assert!(matches!(check(&text, PemKind::PrivateKey), Err(PemError::Label { .. })));
    }
}
