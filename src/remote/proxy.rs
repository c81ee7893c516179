//! Proxies that lead a connection through: `CONNECT`.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use base64::Engine as _;

use crate::address::Address;

/// How long the answer of a proxy may be.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// A proxy, and what it is told of who asks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) address: Address,
    /// User and password.
    credentials: Option<String>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.address.url())
    }
}

impl Proxy {
    /// Reads `http://USER:PASSWORD@HOST:PORT`.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        if scheme != "http" {
            return Err("is not `http`, which proxies are asked in".to_owned());
        }
        let (credentials, host) = match rest.rsplit_once('@') {
            Some((credentials, host)) => (Some(decoded(credentials)), host),
            None => (None, rest),
        };
        Ok(Self { address: Address::parse(&format!("http://{host}"))?, credentials })
    }

    /// Has the proxy lead a connection through to `authority`.
    pub(crate) fn lead(&self, stream: &mut TcpStream, authority: &str) -> io::Result<()> {
        let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some(credentials) = &self.credentials {
            let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
            request.extend(["Proxy-Authorization: Basic ", &encoded, "\r\n"]);
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes())?;
        // Byte by byte: what comes after the head is not the proxy's.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
            if head.len() > ANSWER_BYTES_MAX {
                return Err(io::Error::other("the answer of the proxy is too long"));
            }
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        response
            .parse(&head)
            .map_err(|error| io::Error::other(format!("the proxy answers oddly: {error}")))?;
        match response.code {
            Some(200..300) => Ok(()),
            code => {
                let reason = response.reason.unwrap_or_default();
                let code = code.unwrap_or_default();
                Err(io::Error::other(format!("proxy `{}` refuses: {code} {reason}", self.address.url())))
            }
        }
    }
}

/// Percent signs away.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let digits = more.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = if byte.is_some() { &more[2..] } else { more };
        bytes.push(byte.unwrap_or(*first));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_address_with_or_without_credentials() {
        let proxy = Proxy::parse("http://us%40er:pass%zz@proxy:3128").expect("a proxy");
        assert_eq!(proxy.credentials.as_deref(), Some("us@er:pass%zz"));
        assert_eq!(format!("{proxy:?}"), "http://proxy:3128", "the password is not shown");
        assert_eq!(Proxy::parse("proxy:3128").expect("a proxy").address.authority(), "proxy:3128");
        for text in ["socks5://x:1", "http://x:y", "http://"] {
            assert!(Proxy::parse(text).is_err(), "{text}");
        }
    }
}
