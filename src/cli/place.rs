//! Where `charmd` listens, if nobody says where.

use std::path::{Path, PathBuf};

/// Where Juju keeps the folders of its unit agents.
const AGENTS: &str = "/var/lib/juju/agents";
/// Where it listens on a machine without units.
const SOCKET: &str = "/run/charmd.socket";

/// The socket of the daemon: of the unit that a hook is of; else of the only one on this machine; else one that
/// somebody started by hand.
pub(crate) fn usual_socket(charm_dir: Option<&str>) -> PathBuf {
    find(charm_dir, Path::new(AGENTS))
}

fn find(charm_dir: Option<&str>, agents: &Path) -> PathBuf {
    if let Some(agent) = charm_dir.and_then(|folder| Path::new(folder).parent()) {
        return of_agent(agent);
    }
    let folders = std::fs::read_dir(agents).into_iter().flatten().flatten();
    let units = folders.filter(|entry| entry.file_name().to_string_lossy().starts_with("unit-"));
    let mut sockets = units.map(|entry| of_agent(&entry.path())).filter(|socket| socket.exists());
    match (sockets.next(), sockets.next()) {
        (Some(only), None) => only,
        _ => SOCKET.into(),
    }
}

fn of_agent(folder: &Path) -> PathBuf {
    folder.join("charmd/socket")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_the_hook_comes_first_and_the_only_one_of_the_machine_next() {
        let agents = tempfile::tempdir().unwrap();
        let socket = |unit: &str| {
            let folder = agents.path().join(unit).join("charmd");
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::File::create(folder.join("socket")).unwrap();
            folder.join("socket")
        };
        let elsewhere = Path::new(SOCKET);
        assert_eq!(find(None, agents.path()), elsewhere);
        assert_eq!(find(None, Path::new("/nonexistent")), elsewhere);
        std::fs::create_dir_all(agents.path().join("unit-idle-0")).unwrap();
        socket("machine-0");
        let web = socket("unit-web-0");
        assert_eq!(find(None, agents.path()), web);
        let hook = find(Some("/var/lib/juju/agents/unit-db-3/charm"), agents.path());
        assert_eq!(hook, Path::new("/var/lib/juju/agents/unit-db-3/charmd/socket"));
        socket("unit-web-1");
        assert_eq!(find(None, agents.path()), elsewhere, "nobody says which of two");
    }
}
