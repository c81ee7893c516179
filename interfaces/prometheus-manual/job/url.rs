//! Web addresses, as far as they must be understood to know that Go takes them.

use serde_json::Value;

use super::place::Place;
use super::problem::JobProblem;
use super::value::{accept, as_text};

/// An address of a web service.
pub(super) fn web(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    let is_right = as_text(value).is_some_and(|text| is_url(&text, &["http", "https"]));
    accept(is_right, place, value, "an address, for example `https://web:8080/path`")
}

/// An address of a proxy; an empty text is none.
pub(super) fn proxy(place: &Place<'_>, value: &Value) -> Result<(), JobProblem> {
    let is_right = as_text(value)
        .is_some_and(|text| text.is_empty() || is_url(&text, &["http", "https", "socks5", "socks5h"]));
    accept(is_right, place, value, "an address, for example `http://proxy:3128`")
}

/// Whether `text` is an address with one of the `schemes`, and a host, that Go's parser takes.
///
/// Stricter than Go where Go takes what cannot work: white space, odd characters in a host, a port
/// above 65535.
fn is_url(text: &str, schemes: &[&str]) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, address) = authority.rsplit_once('@').unwrap_or(("", authority));
    // Go does not look into the query, only around it.
    let (path, fragment) = path.split_once('#').unwrap_or((path, ""));
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known))
        && is_user(user)
        && is_address(address)
        && has_whole_escapes(path)
        && has_whole_escapes(fragment)
        && !text.contains(char::is_whitespace)
}

/// `host`, `host:port`, `[::1]` or `[::1]:port`.
pub(super) fn is_address(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) if is_ipv6(host) => return true,
            Some((host, port)) if is_ipv6(host) => ("ipv6", port.strip_prefix(':')),
            _ => return false,
        },
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None if is_host(text) => return true,
            None => return false,
        },
    };
    is_host(host) && port.is_some_and(is_port)
}

/// A port from 1 to 65535.
fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Letters of any script, digits, dots, dashes and underscores; not digits alone, which is a port
/// whose host was forgotten.
fn is_host(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
        && text.contains(|c: char| !c.is_ascii_digit())
}

/// An IPv6 address.
fn is_ipv6(text: &str) -> bool {
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

/// What Go takes before the `@`.
fn is_user(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
    text.bytes().all(is_allowed) && has_whole_escapes(text)
}

/// Whether two hexadecimal digits follow each `%`.
fn has_whole_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|behind| {
        let digits = behind.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_with_or_without_a_port() {
        for text in
            ["web", "web:80", "10.0.0.1:9100", "[::1]:80", "[fe80::1]", "büro.example:1", "a_b-c.d:65535"]
        {
            assert!(is_address(text), "`{text}`");
        }
        for text in [
            "",
            ":80",
            "web:",
            "web:http",
            "web:0",
            "web:65536",
            "web:+1",
            "web:1:2",
            "::1",
            "[::1",
            "[::1]80",
            "[web]:80",
            "9100",
            "a b",
            "a/b",
            "a,b",
            "user@web",
            "{{host}}",
            "web:８０",
        ] {
            assert!(!is_address(text), "`{text}`");
        }
    }

    #[test]
    fn a_url_has_a_scheme_and_a_host() {
        for text in ["http://a", "HTTPS://a:1/b%20c?d=100%&e#f", "http://u:p%40@[::1]:1/", "http://a?x"] {
            assert!(is_url(text, &["http", "https"]), "`{text}`");
        }
        for text in [
            "",
            "a",
            "a:1",
            "//a",
            "http:/a",
            "http://",
            "http:///x",
            "ftp://a",
            "http://a/%zz",
            "http://a/%2",
            "http://a b/",
            "http://a/b c",
            "http://a#%",
            "http://u{@a",
            "http://a:b:1",
            " http://a",
        ] {
            assert!(!is_url(text, &["http", "https"]), "`{text}`");
        }
    }
}
