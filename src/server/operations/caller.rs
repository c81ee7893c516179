//! Who calls, and what they may do.

use axum::http::HeaderMap;
use charms_reactive_core::operation::Requestor;

use super::answer::Problem;
use super::peer::Peer;
use super::trust::Trust;
use crate::certificate::Certificate;

/// What a member says of whom it asks for; LXD's names.
pub(super) const FORWARDED: [&str; 3] =
    ["x-lxd-forwarded-username", "x-lxd-forwarded-protocol", "x-lxd-forwarded-address"];

/// Who calls.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// None: nobody who is trusted.
    requestor: Option<Requestor>,
    /// Whether it is the user that runs this program, or root.
    pub(super) is_owner: bool,
    /// Whether another member of the cluster asks for them; it has asked the others itself.
    pub(super) is_forwarded: bool,
    /// What was shown over TLS, and from where.
    pub(super) certificate: Option<Certificate>,
    address: String,
}

impl Caller {
    /// Who is at the other end of a connection.
    pub(super) fn new(peer: Option<&Peer>, trust: &Trust, headers: &HeaderMap) -> Self {
        let nobody = Self {
            requestor: None,
            is_owner: peer.is_some_and(Peer::is_owner),
            is_forwarded: false,
            certificate: None,
            address: String::new(),
        };
        match peer {
            None => nobody,
            Some(peer @ Peer::Unix { .. }) => Self { requestor: Some(peer.requestor()), ..nobody },
            Some(peer @ Peer::Tls { address, certificate }) => {
                let certificate = certificate.clone();
                let own = trust.server().map(|own| &own.certificate);
                let known = Self { certificate: certificate.clone(), address: address.to_string(), ..nobody };
                match certificate {
                    // Only members have the key of the one certificate that they all show.
                    Some(certificate) if own == Some(&certificate) => {
                        Self { requestor: forwarded(headers), is_forwarded: true, certificate: None, ..known }
                    }
                    Some(certificate) if trust.has(&certificate) => {
                        Self { requestor: Some(peer.requestor()), ..known }
                    }
                    _ => known,
                }
            }
        }
    }

    /// Whether they may do everything.
    pub(super) fn is_trusted(&self) -> bool {
        self.requestor.is_some()
    }

    /// Whoever asks, where they may.
    pub(super) fn trusted(&self) -> Result<&Requestor, Problem> {
        self.requestor.as_ref().ok_or_else(|| Problem::new(403, "Forbidden"))
    }

    /// Whoever asks to be trusted.
    pub(super) fn stranger(&self, certificate: &Certificate) -> Requestor {
        let address = self.address.clone();
        Requestor { username: certificate.fingerprint(), protocol: "tls".to_owned(), address }
    }
}

/// Whom a member asks for; None: somebody who is not trusted.
fn forwarded(headers: &HeaderMap) -> Option<Requestor> {
    let [username, protocol, address] =
        FORWARDED.map(|name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned));
    Some(Requestor { username: username?, protocol: protocol?, address: address.unwrap_or_default() })
}
