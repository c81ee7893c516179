//! The parameters of a URL.

use std::collections::BTreeMap;

/// The parameters of a query by name; of one that is there twice, the first.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Reads `a=b&c=d`, with percent signs and `+` for a blank.
    pub(super) fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        // Later ones replace earlier ones.
        Self(pairs.rev().map(|(name, value)| (decode(name), decode(value))).collect())
    }

    /// The value of a parameter; None where there is none, or it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether a parameter says yes.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
    }

    /// How deep a list goes; `1;fields=a,b` is 1, and what is no number is 0.
    pub(super) fn recursion(&self) -> u32 {
        let value = self.get("recursion").unwrap_or("0");
        let end = value.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(value.len());
        value[..end].parse().unwrap_or(0)
    }
}

/// Decodes percent signs and `+`; what is no UTF-8 becomes a question mark.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        let byte = match (first, more) {
            (b'+', _) => b' ',
            (b'%', [high, low, more @ ..]) => {
                match (char::from(*high).to_digit(16), char::from(*low).to_digit(16)) {
                    (Some(high), Some(low)) => {
                        rest = more;
                        u8::try_from(high * 16 + low).expect("two digits")
                    }
                    _ => b'%',
                }
            }
            _ => *first,
        };
        bytes.push(byte);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let parameters =
            Parameters::parse("type=lifecycle%2Coperation&a=%zz%4&b=x+y&c&recursion=2;fields=a&&b=z");
        assert_eq!(parameters.get("type"), Some("lifecycle,operation"));
        assert_eq!(parameters.get("a"), Some("%zz%4"));
        let found = (parameters.get("b"), parameters.get("c"), parameters.get("d"));
        assert_eq!(found, (Some("x y"), None, None), "of two, the first");
        assert_eq!(parameters.recursion(), 2);
        assert_eq!(Parameters::parse("recursion=x").recursion(), 0);
        assert_eq!(decode("%ff%c3%a9"), "\u{fffd}é");
    }
}
