//! Addresses of servers.

/// Where a server listens on TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) is_tls: bool,
    /// A name or a number, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// Reads `https://example.org:8443`.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("has no `http://`")?;
        let is_tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err("is neither `http` nor `https`".to_owned()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && !port.ends_with(']') => {
                (host, port.parse().map_err(|_| "has no port that is a number")?)
            }
            _ => (rest, if is_tls { 443 } else { 80 }),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_host) {
            return Err("has no host and port alone".to_owned());
        }
        Ok(Self { is_tls, host: host.to_owned(), port })
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}", if self.is_tls { "https" } else { "http" }, self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_scheme_a_host_and_a_port() {
        let url = |text: &str| Address::parse(text).map(|address| address.url());
        for (text, expected) in [
            ("http://127.0.0.1:80/", "http://127.0.0.1:80"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://localhost", "http://localhost:80"),
            ("https://[::1]", "https://[::1]:443"),
        ] {
            assert_eq!(url(text).as_deref(), Ok(expected));
        }
        for (text, reason) in [
            ("127.0.0.1:80", "has no `http://`"),
            ("ftp://x", "is neither `http` nor `https`"),
            ("http://x:y", "has no port that is a number"),
            ("http://x:99999", "has no port that is a number"),
            ("http://", "has no host and port alone"),
            ("http://x/v1beta1", "has no host and port alone"),
            ("http://user@x", "has no host and port alone"),
            ("http://x\r\ny", "has no host and port alone"),
        ] {
            assert_eq!(url(text), Err(reason.to_owned()), "{text}");
        }
    }
}
