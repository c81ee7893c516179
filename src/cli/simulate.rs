//! `charms-reactive simulate`: a bundle in a simulated model, and what happens to it.
//!
//! ```text
//! scenario   YAML                       -> a bundle, steps, what is expected, what may happen
//! charm      directory, archive, cargo  -> charm directories
//! play       one seed                   -> a model, and what is not as it should be
//! random     many seeds                 -> the fewest steps after which something is wrong
//! watch      files                      -> once more
//! show       status, JSON, transcript, page
//! ```

mod charm;
mod error;
mod expect;
mod play;
mod random;
mod scenario;
mod show;
mod watch;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use charms_reactive_sim::JujuVersion;

use crate::report::{self, Live};
use charm::Charms;
pub use error::SimulateError;
use play::{Played, Stage, counted};
use random::Failure;
use scenario::{Check, RandomPart, Scenario, folder_of, parse_seeds};
use show::Report;
use watch::Watched;

const LONG_ABOUT: &str = "\
Run charms of any language in a simulated Juju model, from a file.

A scenario is a bundle as `juju deploy` takes it, and the steps that happen to it:

    applications:
      web: {charm: ./web, num_units: 2, options: {port: 80}}
      db: {charm: cargo:my-database}
    relations:
      - [web:db, db:server]
    steps:
      - settle
      - expect:
          status: {web/*: active, db: \"active: 1 client\"}
          databag: {web:db db:server: {db: {host: 10.*}}}
      - config: {web: {port: 81}}
      - kill-at: 2
      - settle

A charm is a directory, a .charm archive (both relative to the scenario), or cargo:NAME, which is
built and packed from the workspace around the current directory.";

const AFTER: &str = "\
Steps:
  applications  deploy: {application: a, charm: NAME, units: 1}  remove-application: web
                add-unit: web  remove-unit: web/0  lose-unit: web/0  scale-application: {web: 3}
                add-unit-beside: {web: db/0}  config: {web: {port: 80}}  reset-config: {web: [port]}
                trust: {web: true}  attach-resource: {web: {data: TEXT}}
                refresh: {web: NAME}  refresh-forced: {web: NAME}, of the names under `charms:`
  relations     integrate: [web:db, db:server]  remove-relation: [...]  suspend-relation: [...]
                resume-relation: [...]  write-databag: {relation: [...], of: db/0, key: k, value: v}
  units         set-leader: web/1  lose-leadership: web/0  reboot: web/0  update-status: web/0
                stop-agent: web/0  start-agent: web/0  resolved: web/0  resolved-no-retry: web/0
                change-address: web/0  set-address: {web/0: 10.9.0.1}  set-network: [web/0, db, 10.9.0.1]
  actions       run: [web/0, backup, {to: there}]  run-in-background: [...]  cancel-task: 1
                exec: {web/0: SCRIPT}
  storage       add-storage: [web/0, data, 1]  detach-storage: data/0  attach-storage: {web/0: data/0}
                remove-storage: data/0  hold-storage: true  provide-storage: data/0
  secrets       add-secret: {NAME: {key: text}}  update-secret: {NAME: {key: text}}
                grant-secret: [NAME, web]  remove-secret: NAME  revoke-secret: NAME
                rotate-secret: LABEL  expire-secret: LABEL
  containers    replace-pod: web/0  lose-pod: web/0  restart-container: {web/0: app}
                notify: [web/0, app, KEY]  fail-check: [web/0, app, up]  recover-check: [...]
  machines      prepare-series-upgrade: {web/0: noble}  complete-series-upgrade: web/0
                collect-metrics: web/0  set-meter-status: [RED, TEXT]
  faults        kill-at: 2  refuse-at: 2  refuse: relation-set  lose-leadership-at: 2
                change-address-at: 2  revoke-secret-at: {LABEL: 2}  fail-commit: REASON  lose-commit
                (numbers count the next hook commands, from 0)
  hooks, time   hook  settle  advance: 10min
  expect        status, leader, units, flags, databag, state, ports, version, action

Exit codes:
  0  all is as expected
  1  something is not: a step, an expectation, a unit left in error, a check
  2  the scenario cannot be run: a mistake in the file, a charm that is not there

Examples:
  charms-reactive simulate scenario.yaml
      Run it, and show the model in the end
  charms-reactive simulate scenario.yaml --seeds 0..50
      In fifty of the orders that Juju leaves open
  charms-reactive simulate scenario.yaml --watch
      Again whenever the scenario or a charm changes
  charms-reactive simulate scenario.yaml --juju 2.9 --transcript
      On another Juju, with everything that was said
  charms-reactive simulate scenario.yaml --save failing.yaml
      With `random:` in it, keep the fewest steps that break something, to be run again";

/// Run charms in a simulated Juju model, from a file
#[derive(Debug, clap::Args)]
#[command(long_about = LONG_ABOUT, after_long_help = AFTER, after_help = "`--help` lists the steps, with examples.")]
pub struct SimulateArgs {
    /// The scenario: a bundle with steps
    scenario: PathBuf,
    /// What decides where Juju leaves the order open; the scenario's own, or 0, without this
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Run it once for each of these seeds; B is not one of them
    #[arg(long, value_name = "A..B", value_parser = parse_seeds)]
    seeds: Option<Range<u64>>,
    /// Which Juju is simulated, for example 2.9, 3.6 or 4.0; the scenario's own, or 3.6, without this
    #[arg(long, value_name = "VERSION")]
    juju: Option<JujuVersion>,
    /// Run again when the scenario or a file of a charm changes, until interrupted
    #[arg(long)]
    watch: bool,
    /// Print one JSON document: status, events, problems
    #[arg(long)]
    json: bool,
    /// Print everything that was said in the run
    #[arg(long)]
    transcript: bool,
    /// Write a page about the run, to be looked at in a browser: units as lanes, flags and relation data over
    /// time, why a handler did not run
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the scenario that fails, made as short as it gets, into this file
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

/// Runs a scenario; the exit code tells whether all is as expected.
pub fn run(args: &SimulateArgs) -> ExitCode {
    const WRONG: u8 = 1;
    const NOT_RUN: u8 = 2;
    loop {
        let mut watched = Watched::new(vec![args.scenario.clone()]);
        let result = once(args, &mut watched);
        let code = match &result {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(WRONG),
            Err(error) => {
                Live::clear();
                report::error(error);
                ExitCode::from(NOT_RUN)
            }
        };
        if !args.watch {
            return code;
        }
        report::step("Watching", &args.scenario.display().to_string());
        watched.wait();
    }
}

/// Runs the scenario once, with each seed; whether all is as expected.
fn once(args: &SimulateArgs, watched: &mut Watched) -> anyhow::Result<bool> {
    let folder = folder_of(&args.scenario);
    let scenario = Scenario::read(&args.scenario)?;
    // Before they are looked for: what is not there may come, and what changes while the scenario runs is a change, too.
    let sources = Charms::sources(&scenario, &folder);
    *watched = Watched::new([vec![args.scenario.clone()], sources].concat());
    let charms = Charms::find(&scenario, &folder)?;
    let checks = match (&scenario.check, &scenario.random) {
        (Some(checks), _) => checks.clone(),
        // Writing what is there already is a matter of taste in charms that keep no account of it.
        (None, Some(_)) => vec![Check::Leaders, Check::Statuses],
        (None, None) => Vec::new(),
    };
    let seed = args.seed.or(scenario.seed).unwrap_or(0);
    let given = args.seeds.clone().or(args.seed.map(|seed| seed..seed.saturating_add(1)));
    let mut stage = Stage {
        scenario: &scenario,
        charms: &charms,
        folder: &folder,
        juju: args.juju,
        is_told: true,
        is_recorded: args.html.is_some(),
        checks,
    };
    if let Some(random) = &scenario.random {
        let seeds = given.unwrap_or_else(|| random.seeds.clone());
        return search(args, &stage, random, &seeds);
    }
    let seeds = given.unwrap_or_else(|| seed..seed.saturating_add(1));
    let is_one = seeds.end - seeds.start == 1;
    stage.is_told = is_one;
    let mut report = Report::new(args);
    for seed in seeds {
        let played = stage.play(seed)?;
        if !is_one {
            let verb = if played.problems.is_empty() { "Ran" } else { "Failed" };
            report::step(verb, &format!("seed {seed} ({})", counted(played.hooks, "hook")));
        }
        tell(args, &played, &args.scenario);
        report.add(played);
    }
    report.print()
}

/// Looks for steps after which something is wrong, with one seed after another.
fn search(
    args: &SimulateArgs,
    stage: &Stage<'_>,
    random: &RandomPart,
    seeds: &Range<u64>,
) -> anyhow::Result<bool> {
    let mut report = Report::new(args);
    // What is wrong without any chance is told as it is.
    let played = stage.play(seeds.start)?;
    if !played.problems.is_empty() {
        tell(args, &played, &args.scenario);
        report.add(played);
        return report.print();
    }
    let possible = random::possible(stage.scenario, random);
    let count = seeds.end - seeds.start;
    let live = Live::new();
    for seed in seeds.clone() {
        live.show("Drawing", &format!("seed {seed} of {}..{}", seeds.start, seeds.end));
        let Some(failure) = stage.draw(random, &possible, seed)? else { continue };
        Live::clear();
        return show_failure(args, stage, random, &failure, report);
    }
    Live::clear();
    report::step("Drew", &format!("{} steps with each of {count} seeds, nothing is wrong", random.steps));
    report.add(played);
    report.print()
}

/// Runs what failed once more, as the scenario that it is printed as.
fn show_failure(
    args: &SimulateArgs,
    stage: &Stage<'_>,
    random: &RandomPart,
    failure: &Failure,
    mut report: Report<'_>,
) -> anyhow::Result<bool> {
    let steps = counted(failure.steps.len(), "step");
    let drawn = failure.steps_drawn;
    report::step("Failed", &format!("seed {}, in the end with {steps} of {drawn}", failure.seed));
    let mut place = "the failing scenario".to_owned();
    let text = failure.scenario(stage, stage.scenario, random);
    if let Some(path) = &args.save {
        let is_beside = folder_of(path).canonicalize().ok() == stage.folder.canonicalize().ok();
        let moved = stage.scenario.with_paths_in(&std::path::absolute(stage.folder)?);
        let text = if is_beside { text.clone() } else { failure.scenario(stage, &moved, random) };
        show::write(path, &text)?;
        place = path.display().to_string();
        report::step("Saved", &place);
    }
    let scenario = Scenario::parse(&text, &place)?;
    let again = Stage { scenario: &scenario, is_told: false, checks: stage.checks.clone(), ..*stage };
    let played = again.play(failure.seed)?;
    tell(args, &played, Path::new(&place));
    if played.problems.is_empty() {
        // A charm that is not the same with the same seed.
        report::failure(&format!("it failed, but did not fail again: {}", failure.reason), &[], None);
        report.is_failed = true;
    }
    if args.save.is_none() {
        report::note("`--save FILE` keeps the failing scenario, to be run again");
    }
    report.failing = Some(text);
    report.add(played);
    report.print()
}

/// Tells what is not as it should be, and how to see it again.
fn tell(args: &SimulateArgs, played: &Played, place: &Path) {
    for problem in &played.problems {
        let place = match problem.line {
            Some(line) => format!("{}:{line}: ", place.display()),
            None => String::new(),
        };
        let step = problem.step.as_ref().map(|step| format!("{step}: ")).unwrap_or_default();
        let text = played.shown(&format!("{place}{step}{}", problem.text()));
        report::failure(&text, &[], problem.hint.as_deref());
    }
    if !played.problems.is_empty() && args.seeds.is_some() {
        report::note(&format!("again: charms-reactive simulate {} --seed {}", place.display(), played.seed));
    }
}
