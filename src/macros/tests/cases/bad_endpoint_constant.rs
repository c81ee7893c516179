charms_reactive::charm!("charm/metadata.yaml");

fn main() {
    let _ = endpoints::DATABSE.joined();
}
