//! The example charm `search-index`: an index that is built in the background.

use std::time::Duration;

use charms_reactive::prelude::Work;
use charms_reactive_testkit::{Daemons, Ending, InProcess, Sim, in_process};
use serde_json::{Value, json};

/// The charm without its program: what it does with operations.
#[path = "../charms/search-index/app.rs"]
mod app;
#[path = "../charms/search-index/index.rs"]
mod index;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charms/search-index");
const UNIT: &str = "index/0";

fn charm(daemons: &Daemons) -> InProcess {
    in_process(app::app).daemons(daemons).folder(FOLDER)
}

/// A unit whose work takes ten minutes, and ends so.
fn new(result: Result<Value, &str>) -> (Sim, Daemons) {
    let (daemons, result) = (Daemons::new(), result.map_err(str::to_owned));
    daemons.works(move |_, _| Ending { after: Duration::from_mins(10), result: result.clone() });
    let mut sim = Sim::from_seed(7);
    sim.deploy("index", charm(&daemons), 1).expect("deployed");
    sim.configure("index", &[("folder", "/srv/a"), ("index", "/srv/index")]).expect("configured");
    sim.settle().expect("the model works");
    (sim, daemons)
}

fn status(sim: &Sim) -> String {
    let status = sim.unit(UNIT).expect("a unit").workload;
    format!("{}: {}", status.status, status.message)
}

#[test]
fn hooks_go_on_while_the_index_is_built() {
    let (mut sim, daemons) = new(Ok(json!({"documents": 3, "words": 7})));
    assert_eq!(status(&sim), "maintenance: Indexing");
    daemons.advance(&mut sim, Duration::from_mins(9)).expect("the model works");
    assert_eq!(status(&sim), "maintenance: Indexing");
    daemons.advance(&mut sim, Duration::from_mins(2)).expect("the model works");
    assert_eq!(status(&sim), "active: 3 documents, 7 words");
    let work = daemons.begun().len();
    daemons.advance(&mut sim, Duration::from_hours(2)).expect("the model works");
    assert_eq!((daemons.begun().len(), daemons.announced()), (work, vec![]), "nothing begins by itself");
}

#[test]
fn another_folder_while_one_is_indexed_takes_its_place() {
    let (mut sim, daemons) = new(Ok(json!({"documents": 3, "words": 7})));
    daemons.advance(&mut sim, Duration::from_mins(5)).expect("the model works");
    sim.configure("index", &[("folder", "/srv/b")]).expect("configured");
    daemons.advance(&mut sim, Duration::from_mins(8)).expect("the model works");
    assert_eq!(status(&sim), "maintenance: Indexing", "the first would be done by now");
    daemons.advance(&mut sim, Duration::from_mins(5)).expect("the model works");
    assert_eq!(status(&sim), "active: 3 documents, 7 words");
    assert_eq!(daemons.begun().len(), 2);
}

#[test]
fn without_a_folder_or_room_the_operator_is_told() {
    let (mut sim, daemons) = new(Err("no room"));
    daemons.advance(&mut sim, Duration::from_mins(11)).expect("the model works");
    assert_eq!(status(&sim), "blocked: no index: no room; the action `reindex` tries again");
    sim.configure("index", &[("folder", "")]).expect("configured");
    sim.settle().expect("the model works");
    assert!(status(&sim).starts_with("blocked: no folder"), "{}", status(&sim));
}

#[test]
fn the_work_goes_on_from_what_it_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    std::fs::create_dir(place("documents")).expect("made");
    let write = |name: &str, text: &str| {
        let mut file = std::fs::File::create(place("documents").join(name)).expect("made");
        std::io::Write::write_all(&mut file, text.as_bytes()).expect("written");
    };
    write("a.txt", "one two");
    write("b.txt", "Two, three!");
    let text = |name: &str| place(name).to_string_lossy().into_owned();
    let folders = index::Folders { folder: text("documents"), index: text("index"), pause: 0 };
    let mut work = Work::alone(folders).expect("JSON");
    let built = index::build(&mut work).expect("built");
    assert_eq!((built.documents, built.words), (2, 3));
    // Run again with what it kept, it reads only what is new.
    std::fs::remove_file(place("documents/a.txt")).expect("removed");
    write("aa.txt", "never read: its place is before what was done");
    write("c.txt", "four");
    let built = index::build(&mut work).expect("built");
    assert_eq!((built.documents, built.words), (3, 4));
    let index = std::fs::read(place("index/index.json")).expect("an index");
    let index: Value = serde_json::from_slice(&index).expect("JSON");
    assert_eq!((&index["two"], &index["four"]), (&json!(["a.txt", "b.txt"]), &json!(["c.txt"])));
}
