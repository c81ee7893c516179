charms_reactive::charm!("charm/metadata.yaml", metriks: prometheus_manual::PrometheusManualProvides);

fn main() {}
