charms_reactive::charm!("charm/metadata.yml");

fn main() {}
