//! Who calls: what the system says about the other process, or TLS about the client.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::OnceLock;

use charms_reactive_core::operation::Requestor;

use crate::certificate::Certificate;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A process of this machine; the system vouches for it.
    Unix {
        /// The number of the user; None where the system does not tell.
        uid: Option<u32>,
    },
    /// A client over TLS.
    Tls {
        /// From where.
        address: SocketAddr,
        /// What it has shown, and has the key of.
        certificate: Option<Certificate>,
    },
}

impl Peer {
    /// Whether it is the user that runs this program, or root.
    pub fn is_owner(&self) -> bool {
        match self {
            Self::Unix { uid } => {
                uid.is_some_and(|uid| uid == 0 || uid == rustix::process::geteuid().as_raw())
            }
            Self::Tls { .. } => false,
        }
    }

    /// As whoever asked for an operation.
    pub fn requestor(&self) -> Requestor {
        let (username, protocol, address) = match self {
            Self::Unix { uid: Some(uid) } => {
                let name = users().get(uid).cloned();
                (name.unwrap_or_else(|| format!("uid {uid}")), "unix", "@".to_owned())
            }
            Self::Unix { uid: None } => ("unknown".to_owned(), "unix", "@".to_owned()),
            Self::Tls { address, certificate } => {
                let name = certificate.as_ref().map(Certificate::fingerprint);
                (name.unwrap_or_default(), "tls", address.to_string())
            }
        };
        Requestor { username, protocol: protocol.to_owned(), address }
    }
}

/// The users of this machine by number, as they were when somebody first called.
fn users() -> &'static BTreeMap<u32, String> {
    static USERS: OnceLock<BTreeMap<u32, String>> = OnceLock::new();
    USERS.get_or_init(|| read(&std::fs::read_to_string("/etc/passwd").unwrap_or_default()))
}

fn read(passwd: &str) -> BTreeMap<u32, String> {
    let mut users = BTreeMap::new();
    for line in passwd.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(Ok(uid))) = (fields.next(), fields.nth(1).map(str::parse)) {
            // Of two names for one number, the first is meant.
            users.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names() {
        let users = read("root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/\nbroken\nweb:x:33:33::/:/\n");
        let expected = [(0, "root".to_owned()), (33, "web".to_owned())];
        assert_eq!(users, BTreeMap::from(expected));
        assert_eq!(Peer::Unix { uid: Some(4_000_000_000) }.requestor().username, "uid 4000000000");
    }

    #[test]
    fn the_owner_is_who_runs_this_program_and_root() {
        let own = rustix::process::geteuid().as_raw();
        let is_owner = |uid| Peer::Unix { uid }.is_owner();
        assert!(is_owner(Some(own)) && is_owner(Some(0)));
        assert!(!is_owner(Some(own + 1)) && !is_owner(None));
        let address = "192.0.2.7:1".parse().expect("an address");
        assert!(!Peer::Tls { address, certificate: None }.is_owner());
    }
}
