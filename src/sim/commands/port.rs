//! `open-port`, `close-port`, `opened-ports`.

use std::collections::{BTreeMap, BTreeSet};

use charms_reactive_core::{EndpointName, UnitName};
use serde_json::Value;

use super::flags::Flag;
use super::{Asked, Command, Done, Failure, Outcome, failed, usage};
use crate::model::{OpenPort, PortRange, Substrate};

const ENDPOINTS: Flag = Flag::value(&["endpoints"]);

pub(super) const COMMANDS: &[Command] = &[
    Command::old_setter(
        "open-port",
        "<port>[/<protocol>] or <from>-<to>[/<protocol>] or icmp",
        &[ENDPOINTS],
        |asked| change(asked, true),
    ),
    Command::old_setter(
        "close-port",
        "<port>[/<protocol>] or <from>-<to>[/<protocol>] or icmp",
        &[ENDPOINTS],
        |asked| change(asked, false),
    ),
    Command::getter("opened-ports", "", &[Flag::switch(&["endpoints"])], opened_ports),
];

/// Reads `80`, `80/tcp`, `8000-8100/udp` or `icmp`.
///
/// # Source
///
/// `juju/juju:core/network/portrange.go`.
fn parse(text: &str) -> Result<PortRange, String> {
    if text.eq_ignore_ascii_case("icmp") {
        return Ok(PortRange { protocol: "icmp".to_owned(), from: 0, to: 0 });
    }
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if protocol != "tcp" && protocol != "udp" {
        return Err(format!("invalid protocol {protocol:?}, expected \"tcp\", \"udp\", or \"icmp\""));
    }
    let (from, to) = ports.split_once('-').unwrap_or((ports, ports));
    let number = |text: &str| {
        text.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| {
            if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
                format!("port must be in the range [1, 65535]; got {text:?}")
            } else {
                format!("invalid port {text:?}")
            }
        })
    };
    let (from, to) = (number(from)?, number(to)?);
    if from > to {
        Err(format!("invalid port range {from}-{to}/{protocol}"))
    } else {
        Ok(PortRange { protocol, from, to })
    }
}

/// # Source
///
/// `J/ports.go`, `U/runner/context/ports.go`.
fn change(asked: &mut Asked<'_>, is_open: bool) -> Outcome {
    let Some(text) = asked.line.positional.first() else { return usage("no port or range specified") };
    let range = parse(text).map_err(Failure::Usage)?;
    asked.refuse_from(1)?;
    let endpoints = endpoints(asked)?;
    let mut ports = pending(asked);
    if is_open {
        if asked.model.substrate == Substrate::Kubernetes && range.from != range.to {
            return failed(
                "port ranges are not supported for k8s applications, please specify a single port",
            );
        }
        let overlaps = |other: &PortRange| {
            other.protocol == range.protocol && other.from <= range.to && range.from <= other.to
        };
        let own = ports.iter().map(|(other, _)| other).find(|other| **other != range && overlaps(other));
        let conflict = own.map(|other| (asked.run.unit.clone(), other.clone()));
        if let Some((holder, other)) = conflict.or_else(|| beside(asked, &overlaps)) {
            let unit = &asked.run.unit;
            return failed(format!(
                "cannot open {range} (unit \"{unit}\"): port range conflicts with {other} (unit \"{holder}\")"
            ));
        }
        ports.extend(endpoints.into_iter().map(|endpoint| (range.clone(), endpoint)));
    } else if endpoints == [None] {
        // Closed for all endpoints: openings for single ones go as well.
        ports.retain(|(other, _)| *other != range);
    } else {
        ports.retain(|(other, endpoint)| *other != range || !endpoints.contains(endpoint));
    }
    asked.run.staged.ports = Some(ports);
    Ok(Done::Nothing)
}

/// A port of another unit on the same machine, and that unit.
///
/// # Source
///
/// `juju/juju:state/machine_ports.go`: a machine has each port once; `icmp` is not a port.
fn beside(asked: &Asked<'_>, overlaps: &impl Fn(&PortRange) -> bool) -> Option<(UnitName, PortRange)> {
    let machine = asked.model.units.get(&asked.run.unit)?.machine;
    if asked.model.substrate == Substrate::Kubernetes {
        return None;
    }
    let others = asked.model.units.values();
    let others = others.filter(|other| other.machine == machine && other.name != asked.run.unit);
    let mut ports = others.flat_map(|other| other.ports.iter().map(|(range, _)| (other.name.clone(), range)));
    let found = ports.find(|(_, range)| range.protocol != "icmp" && overlaps(range))?;
    Some((found.0, found.1.clone()))
}

/// The endpoints of `--endpoints`; one absent name for all of them.
fn endpoints(asked: &Asked<'_>) -> Result<Vec<Option<EndpointName>>, Failure> {
    let Some(list) = asked.line.value("endpoints").filter(|list| !list.is_empty()) else {
        return Ok(vec![None]);
    };
    let charm = asked.model.units.get(&asked.run.unit).map(|unit| &unit.charm);
    let known = |name: &str| charm.is_some_and(|charm| charm.has_binding(name));
    list.split(',')
        .map(|name| match EndpointName::parse(name.trim()) {
            Ok(endpoint) if known(endpoint.as_str()) => Ok(Some(endpoint)),
            _ => failed(format!("unknown endpoint {name:?}")),
        })
        .collect()
}

/// The ports that will be open if the run ends now, and well.
fn pending(asked: &Asked<'_>) -> BTreeSet<OpenPort> {
    let open = || asked.model.units.get(&asked.run.unit).map(|unit| unit.ports.clone()).unwrap_or_default();
    asked.run.staged.ports.clone().unwrap_or_else(open)
}

/// # Source
///
/// `J/opened-ports.go`; newer agents count what the hook has changed.
fn opened_ports(asked: &mut Asked<'_>) -> Outcome {
    asked.refuse_from(0)?;
    let mut by_range: BTreeMap<PortRange, Vec<String>> = BTreeMap::new();
    for (range, endpoint) in pending(asked) {
        let endpoint = endpoint.map_or_else(|| "*".to_owned(), |endpoint| endpoint.to_string());
        by_range.entry(range).or_default().push(endpoint);
    }
    let is_detailed = asked.line.is_on("endpoints");
    // Protocol, then port: `icmp` has no port and comes last, as Juju's text shows it.
    let mut ranges: Vec<_> = by_range.into_iter().collect();
    ranges.sort_by_key(|(range, _)| (range.protocol == "icmp", range.clone()));
    let texts = ranges.into_iter().map(|(range, endpoints)| {
        if is_detailed { format!("{range} ({})", endpoints.join(", ")) } else { range.to_string() }
    });
    Ok(Done::Value(texts.map(Value::from).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_as_juju_reads_them() {
        let check = |text: &str, expected: &str| {
            let found = parse(text).map_or_else(|error| error, |range| range.to_string());
            assert_eq!(found, expected, "`{text}`");
        };
        check("80", "80/tcp");
        check("80/UDP", "80/udp");
        check("8000-8100/udp", "8000-8100/udp");
        check("80-80", "80/tcp");
        check("icmp", "icmp");
        check("0", "port must be in the range [1, 65535]; got \"0\"");
        check("70000", "port must be in the range [1, 65535]; got \"70000\"");
        check("x", "invalid port \"x\"");
        check("90-80", "invalid port range 90-80/tcp");
        check("80/sctp", "invalid protocol \"sctp\", expected \"tcp\", \"udp\", or \"icmp\"");
    }
}
