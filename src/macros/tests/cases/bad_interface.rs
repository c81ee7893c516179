use prometheus_manual::PrometheusManualRequires;

charms_reactive::charm!("charm/metadata.yaml", database: PrometheusManualRequires);

fn main() {
    let _ = endpoints::DATABASE.joined();
}
