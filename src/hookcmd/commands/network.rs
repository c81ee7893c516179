//! Addresses and ports of a unit.

use charms_reactive_core::EndpointName;
use serde::{Deserialize, Serialize};

use super::text::or_default;

/// How a unit is reached over an endpoint, and how it reaches others.
///
/// # Source
///
/// `juju/juju:rpc/params/network.go`: empty lists are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Network {
    /// The interfaces of the machine on which a service can listen.
    #[serde(default, deserialize_with = "or_default")]
    pub bind_addresses: Vec<BindAddress>,
    /// The subnets from which this unit's traffic comes.
    #[serde(default, deserialize_with = "or_default")]
    pub egress_subnets: Vec<String>,
    /// What others connect to, best first.
    #[serde(default, deserialize_with = "or_default")]
    pub ingress_addresses: Vec<String>,
}

impl Network {
    /// The address to listen on: the first one.
    pub fn bind_address(&self) -> Option<&str> {
        let mut all = self.bind_addresses.iter().flat_map(|interface| &interface.addresses);
        all.next().map(|address| address.value.as_str())
    }

    /// The address to give to others: the first one.
    pub fn ingress_address(&self) -> Option<&str> {
        self.ingress_addresses.first().map(String::as_str)
    }
}

/// One interface of the machine, with its addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BindAddress {
    /// Empty where Juju does not know it, as on Kubernetes.
    #[serde(default)]
    pub mac_address: String,
    /// For example `eth0`; empty where Juju does not know it.
    #[serde(default)]
    pub interface_name: String,
    /// Its addresses.
    #[serde(default, deserialize_with = "or_default")]
    pub addresses: Vec<InterfaceAddress>,
}

/// One address of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceAddress {
    /// The name that `value` was found by, where it was given as one.
    #[serde(default)]
    pub hostname: String,
    /// The address; before Juju 2.9 it was called `address`.
    #[serde(alias = "address")]
    pub value: String,
    /// The subnet it is in, for example `10.0.0.0/24`; empty where Juju does not know it.
    #[serde(default)]
    pub cidr: String,
}

/// Which of a unit's addresses `unit-get` is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitAddress {
    /// That within the cloud.
    Private,
    /// That from outside.
    Public,
}

impl UnitAddress {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private-address",
            Self::Public => "public-address",
        }
    }
}

/// A port, a range of ports, or `icmp`, that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedPort {
    /// As Juju writes it: `80/tcp`, `8000-8100/udp`, `icmp`.
    pub port: String,
    /// The endpoints it is open for; None for all of them.
    pub endpoints: Option<Vec<EndpointName>>,
}

impl OpenedPort {
    /// Reads `80/tcp (*)` or `80/tcp (db, web)`.
    ///
    /// # Source
    ///
    /// `J/opened-ports.go`
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("opened port `{text}`, expected `PORT (ENDPOINT, ...)`");
        let (port, list) = text.split_once(" (").ok_or_else(wrong)?;
        let list = list.strip_suffix(')').ok_or_else(wrong)?;
        let names = list.split(", ").map(EndpointName::parse);
        let endpoints = match list {
            "*" => None,
            _ => Some(names.collect::<Result<_, _>>().map_err(|_| wrong())?),
        };
        Ok(Self { port: port.to_owned(), endpoints })
    }

    /// Whether it is open for an endpoint; None asks for all of them.
    pub fn is_open_for(&self, endpoint: Option<&EndpointName>) -> bool {
        match (&self.endpoints, endpoint) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(open), Some(endpoint)) => open.contains(endpoint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_spellings_and_lists_that_are_not_there_are_read() {
        let old = r#"{"bind-addresses":[{"mac-address":"","interface-name":"eth0","addresses":[{"address":"10.0.0.7","cidr":""}]},{"addresses":null}]}"#;
        let network: Network = serde_json::from_str(old).unwrap();
        assert_eq!(network.bind_address(), Some("10.0.0.7"));
        assert_eq!(network.ingress_address(), None);
        assert!(network.bind_addresses[1].addresses.is_empty());
    }

    #[test]
    fn a_port_tells_its_endpoints() {
        let db = EndpointName::parse("db").unwrap();
        let all = OpenedPort::parse("80/tcp (*)").unwrap();
        assert!(all.is_open_for(None) && all.is_open_for(Some(&db)));
        let some = OpenedPort::parse("8000-8100/udp (db, web)").unwrap();
        assert!(!some.is_open_for(None) && some.is_open_for(Some(&db)));
        assert_eq!(some.port, "8000-8100/udp");
        for wrong in ["80/tcp", "80/tcp (db", "80/tcp (a b)", "80/tcp ()"] {
            assert!(OpenedPort::parse(wrong).is_err(), "{wrong}");
        }
    }
}
