//! `unit-get`, `network-get`.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::flags::Flag;
use super::{Asked, Command, Done, Outcome, failed, usage};
use crate::model::{Network, Substrate, Unit};

pub(super) const COMMANDS: &[Command] = &[
    Command::getter("unit-get", "<setting>", &[], unit_get),
    Command::getter(
        "network-get",
        "<binding-name> [--ingress-address] [--bind-address] [--egress-subnets]",
        &[
            Flag::value(&["r", "relation"]),
            Flag::switch(&["bind-address"]),
            Flag::switch(&["ingress-address"]),
            Flag::switch(&["egress-subnets"]),
            Flag::switch(&["primary-address"]),
        ],
        network_get,
    ),
];

fn address(asked: &Asked<'_>) -> String {
    asked.model.units.get(&asked.run.unit).map(|unit| unit.address.to_string()).unwrap_or_default()
}

fn unit_get(asked: &mut Asked<'_>) -> Outcome {
    match asked.line.positional.first().map(String::as_str) {
        None => usage("no setting specified"),
        Some("private-address" | "public-address") => {
            asked.refuse_from(1)?;
            Ok(Done::Value(Value::from(address(asked))))
        }
        Some(other) => usage(format!("unknown setting {other:?}")),
    }
}

/// # Source
///
/// `J/network-get.go`, `juju/juju:rpc/params/network.go`.
fn network_get(asked: &mut Asked<'_>) -> Outcome {
    let Some(binding) = asked.line.positional.first().cloned() else {
        return usage("no arguments specified");
    };
    if binding.is_empty() {
        return usage("no binding name specified");
    }
    asked.relation()?;
    asked.refuse_from(1)?;
    let Some(unit) = asked.model.units.get(&asked.run.unit) else { return failed("unit not found") };
    if !unit.charm.has_binding(&binding) {
        return failed(format!("no network config found for binding {binding:?}"));
    }
    let network = asked.model.network(unit, &binding);
    let parts = [
        ("bind-address", json!(network.bind)),
        ("egress-subnets", json!(network.egress)),
        ("ingress-address", json!(network.ingress)),
    ];
    let wanted: Vec<_> = parts.iter().filter(|(name, _)| asked.line.is_on(name)).collect();
    if asked.line.is_on("primary-address") {
        return match wanted.as_slice() {
            [] => Ok(Done::Value(json!(network.bind))),
            _ => failed("--primary-address must be the only flag specified"),
        };
    }
    Ok(match wanted.as_slice() {
        [] => whole(asked, unit, &network),
        [(_, value)] => Done::Value(value.clone()),
        several => {
            let map: Map<String, Value> =
                several.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            Done::Value(Value::Object(map))
        }
    })
}

/// The whole map; YAML has old spellings beside the new ones, for charms from before 2.9.
fn whole(asked: &Asked<'_>, unit: &Unit, network: &Network) -> Done {
    let (mac, interface) = match asked.model.substrate {
        Substrate::Machine => {
            let machine = unit.machine;
            (format!("00:16:3e:00:{:02x}:{:02x}", machine >> 8 & 0xff, machine & 0xff), "eth0")
        }
        Substrate::Kubernetes => (String::new(), ""),
    };
    let cidr = match (asked.model.substrate, network.bind) {
        (Substrate::Kubernetes, _) => "",
        (_, IpAddr::V4(_)) => "10.0.0.0/8",
        (_, IpAddr::V6(_)) => "fd00::/8",
    };
    let map = |inner: Value, old: Value| {
        let mut bind = json!({"mac-address": mac, "interface-name": interface, "addresses": [inner]});
        if let (Value::Object(bind), Value::Object(old)) = (&mut bind, old) {
            bind.extend(old);
        }
        json!({
            "bind-addresses": [bind],
            "egress-subnets": network.egress,
            "ingress-addresses": [network.ingress],
        })
    };
    let address = network.bind;
    let new = map(json!({"hostname": "", "value": address, "cidr": cidr}), json!({}));
    if asked.line.value("format") == Some("json") {
        return Done::Value(new);
    }
    let old = json!({"macaddress": mac, "interfacename": interface});
    Done::Value(map(json!({"hostname": "", "value": address, "cidr": cidr, "address": address}), old))
}
