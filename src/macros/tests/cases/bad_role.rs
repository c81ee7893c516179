use prometheus_manual::PrometheusManualRequires;

charms_reactive::charm!("charm/metadata.yaml", metrics: PrometheusManualRequires);

fn main() {
    let _ = endpoints::METRICS.joined();
}
