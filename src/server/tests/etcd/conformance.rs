//! What any store does, where it is kept in etcd.

#[path = "../it/process.rs"]
mod process;
#[path = "../it/restart.rs"]
mod restart;
#[path = "../it/time.rs"]
mod time;

use charms_reactive_server::runtimeconfig::{Etcd, Store};

use crate::charmd::Charmd;
use crate::cluster::Cluster;

/// An etcd of one member.
struct Place {
    cluster: Cluster,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { cluster: Cluster::start(1), folder: tempfile::tempdir().expect("a folder") }
    }

    fn open(&self) -> Box<dyn Store> {
        let members = self.cluster.urls().iter().map(|url| url.parse().expect("an address")).collect();
        Box::new(Etcd::new(members, "/charmd/", None).expect("a store"))
    }

    fn start(&self) -> Charmd {
        Charmd::start(self.folder.path(), &["--etcd".to_owned(), self.cluster.urls().join(",")])
    }
}
