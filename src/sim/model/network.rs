//! Addresses of units, as bindings show them.

use std::net::{IpAddr, Ipv4Addr};

use charms_reactive_core::{Databag, UnitName};

use super::{Model, Substrate, Unit};

/// The addresses of one binding of a unit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// Where the unit listens.
    pub bind: IpAddr,
    /// Where others reach it.
    pub ingress: IpAddr,
    /// Where its own connections come from, for example `10.1.0.1/32`.
    pub egress: Vec<String>,
}

impl Network {
    /// One address for everything.
    pub fn of(address: impl Into<IpAddr>) -> Self {
        let address = address.into();
        Self { bind: address, ingress: address, egress: vec![subnet(address)] }
    }

    /// What every unit's databag holds from the start.
    ///
    /// # Source
    ///
    /// `A/uniter.go`, `EnterScope`.
    pub(crate) fn automatic_keys(&self) -> Databag {
        let (address, egress) = (self.ingress.to_string(), self.egress.join(","));
        Databag::from([
            ("egress-subnets", egress.as_str()),
            ("ingress-address", address.as_str()),
            ("private-address", address.as_str()),
        ])
    }
}

/// The smallest subnet of an address.
fn subnet(address: IpAddr) -> String {
    format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 })
}

impl Model {
    /// The addresses of a unit's binding.
    ///
    /// # Source
    ///
    /// `juju/juju:apiserver/facades/agent/uniter/networkinfo*.go`; on Kubernetes others reach a unit by
    /// the address of its application's service.
    pub(crate) fn network(&self, unit: &Unit, binding: &str) -> Network {
        if let Some(network) = unit.networks.get(binding) {
            return network.clone();
        }
        let mut network = Network::of(unit.address);
        if self.substrate == Substrate::Kubernetes {
            let service = self.applications.get(unit.name.application());
            let service = service.map_or(Ipv4Addr::UNSPECIFIED, |application| application.service_address);
            network.ingress = service.into();
            network.egress = vec![subnet(service.into())];
        }
        network
    }

    /// The automatic keys of a unit in a relation.
    pub(crate) fn automatic_keys(&self, name: &UnitName, relation: u32) -> Databag {
        let endpoint = self.relations.get(&relation).and_then(|relation| relation.end(name.application()));
        match (self.units.get(name), endpoint) {
            (Some(unit), Some(end)) => self.network(unit, end.endpoint.as_str()).automatic_keys(),
            _ => Databag::new(),
        }
    }

    /// An address that no unit has had.
    pub(crate) fn next_address(&mut self) -> Ipv4Addr {
        let number = self.addresses_made;
        self.addresses_made += 1;
        // 10.1.0.1 and on: the last three bytes are a number.
        Ipv4Addr::from_bits(0x0a01_0001_u32.wrapping_add(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_stands_for_all_of_a_network() {
        let address: IpAddr = "fd00::7".parse().expect("an address");
        let network = Network::of(address);
        let keys: Vec<(String, String)> =
            network.automatic_keys().iter().map(|(key, text)| (key.to_owned(), text.to_owned())).collect();
        let texts: Vec<&str> = keys.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["fd00::7/128", "fd00::7", "fd00::7"]);
    }
}
