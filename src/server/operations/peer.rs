//! Who calls on a unix socket: what the system says about the other process.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use charms_reactive_core::operation::Requestor;
use tokio::net::UnixListener;

/// Who calls; the system vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The number of the user; None where the system does not tell.
    pub uid: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self { uid: stream.io().peer_cred().ok().map(|credentials| credentials.uid()) }
    }
}

impl Peer {
    /// Whether it is the user that runs this program, or root.
    pub fn is_owner(&self) -> bool {
        self.uid.is_some_and(|uid| uid == 0 || uid == rustix::process::geteuid().as_raw())
    }

    /// As whoever asked for an operation.
    pub fn requestor(&self) -> Requestor {
        let username = match self.uid {
            Some(uid) => users().get(&uid).cloned().unwrap_or_else(|| format!("uid {uid}")),
            None => "unknown".to_owned(),
        };
        Requestor { username, protocol: "unix".to_owned(), address: "@".to_owned() }
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
        assert_eq!(Peer { uid: Some(4_000_000_000) }.requestor().username, "uid 4000000000");
    }
}
