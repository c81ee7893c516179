// The run: which events belong to which hook, which unit has which hooks, and what is worth a mark.

const run = JSON.parse(byId("run").textContent);
const events = run.events;

/** The hooks, actions and scripts, in their order; column `k` of the page is `runs[k]`. */
const runs = [];
/** Of each event, its run, or -1 for what happened between runs. */
const runOf = new Int32Array(events.length);
/** Of each event, how many runs began before it or with it: it lies before column `k`. */
const columnOf = new Int32Array(events.length);
/** What each unit's lane is made of, by its name. */
const lanes = new Map();
/** The relations by number. */
const relations = new Map();
/** Where a party wrote into a databag: `relation party` -> indices of events. */
const writes = new Map();
/** What is worth a mark in the model's own lane: `{ kind, at }`. */
const marks = [];

/** The lane of a unit; whoever appears in an event has one, also when its beginning is not in the run. */
function laneOf(unit) {
  let lane = lanes.get(unit);
  if (!lane) {
    const application = unit.split("/")[0];
    lane = { unit, application, runs: [], statuses: [], leads: [], from: run.dropped > 0 ? 0 : null, to: null };
    lanes.set(unit, lane);
  }
  return lane;
}

/** How a hook ended that has come to its end. */
function outcomeOf(hook, end) {
  if (end.committed) return hook.isRefused ? "failed" : "committed";
  if (end.error !== null) return "failed";
  const exit = end.exit;
  const isKilled = exit === "rebooted" || (exit && (exit.signal === 9 || exit.signal === 15));
  return isKilled || (exit && exit.code === 0 && hook.kind === "hook") ? "killed" : "failed";
}

/** How a process ended, in words. */
function exitText(exit) {
  if (exit === null || exit === undefined) return "could not be started";
  if (exit === "timed-out") return "killed after the time limit";
  if (exit === "rebooted") return "killed for a reboot";
  return exit.signal === undefined ? `exit code ${exit.code}` : `killed by signal ${exit.signal}`;
}

/** What kind of mark an event gets, if any. */
const MARKS = {
  "operator-acted": "operator",
  "leader-changed": "leader",
  related: "related",
  unrelated: "unrelated",
  "unit-added": "added",
  "unit-removed": "removed",
  "charm-replaced": "other",
  "storage-added": "other",
  "storage-detached": "other",
};

/** The flags that a change of the key `flags` sets and clears. */
function flagChange(event) {
  const [old, now] = [new Set(flagsOf(event.old)), new Set(flagsOf(event.new))];
  return { set: [...now].filter((flag) => !old.has(flag)), cleared: [...old].filter((flag) => !now.has(flag)) };
}

/** The flags in a value of the key `flags`; charms may keep something else there. */
function flagsOf(text) {
  if (typeof text !== "string") return [];
  try {
    return listOf(JSON.parse(text)).filter((flag) => typeof flag === "string");
  } catch {
    return [];
  }
}

const isFlags = (event) => event.event === "state-changed" && event.key === "flags";

/** Goes through all events once. */
(function index() {
  let current = null;
  let now = 0;
  let action = null;
  events.forEach((event, at) => {
    const begins = event.event === "hook-started" || event.event === "hook-skipped";
    if (event.event === "time-passed") now = event.now;
    if (event.event === "action-started") action = event;
    if (begins) {
      const kind = event.hook === "juju-exec" ? "script" : action && action.unit === event.unit ? "action" : "hook";
      current = {
        column: runs.length,
        number: runs.length + 1,
        unit: event.unit,
        hook: event.hook,
        about: event.about,
        kind,
        action,
        start: at,
        end: at,
        now,
        outcome: event.event === "hook-skipped" ? "skipped" : "unfinished",
        exit: undefined,
        error: null,
        commands: 0,
        isRefused: false,
        trace: null,
      };
      action = null;
      runs.push(current);
      laneOf(event.unit).runs.push(current.column);
    }
    runOf[at] = current ? current.column : -1;
    columnOf[at] = runs.length;
    if (current) current.end = at;
    note(event, at, current);
    const ends = event.event === "hook-skipped" || (event.event === "hook-ended" && current);
    if (ends) {
      if (event.event === "hook-ended") {
        current.outcome = outcomeOf(current, event);
        current.exit = event.exit;
        current.error = event.error;
      }
      current = null;
    }
  });

  function note(event, at, inRun) {
    if (event.unit) laneOf(event.unit);
    const kind = MARKS[event.event];
    if (kind) marks.push({ kind, at });
    switch (event.event) {
      case "command-run":
        if (inRun) inRun.commands += 1;
        if (inRun && inRun.kind === "action" && event.name === "action-fail" && event.code === 0) inRun.isRefused = true;
        break;
      case "traced":
        if (inRun) inRun.trace = event.trace;
        break;
      case "unit-added":
        laneOf(event.unit).from = at;
        break;
      case "unit-removed":
        laneOf(event.unit).to = at;
        break;
      case "status-changed":
        if (event.party.includes("/")) laneOf(event.party).statuses.push({ at, status: event.status, message: event.message });
        break;
      case "leader-changed":
        if (event.leader) laneOf(event.leader).leads.push(at);
        break;
      case "related":
        relations.set(event.relation, event.key);
        break;
      case "databag-changed": {
        const key = `${event.relation} ${event.party}`;
        if (!writes.has(key)) writes.set(key, []);
        writes.get(key).push(at);
        break;
      }
      default:
    }
  }
  for (const lane of lanes.values()) {
    if (lane.from === null) lane.from = lane.runs.length > 0 ? runs[lane.runs[0]].start : 0;
  }
})();

/** The applications in the order in which they came, each with its units by number. */
const applications = (() => {
  const found = new Map();
  for (const lane of lanes.values()) {
    if (!found.has(lane.application)) found.set(lane.application, []);
    found.get(lane.application).push(lane);
  }
  const number = (lane) => Number(lane.unit.split("/")[1]);
  for (const units of found.values()) units.sort((one, other) => number(one) - number(other));
  return found;
})();

/** The last run of a unit that began before the event `position`; nothing where there is none. */
function lastRunOf(unit, position) {
  const lane = lanes.get(unit);
  if (!lane) return null;
  const after = lowerBound(lane.runs, position, (column) => runs[column].start);
  return after > 0 ? runs[lane.runs[after - 1]] : null;
}

/** The name of a relation, both ends. */
const relationName = (number) => (relations.has(number) ? `${number} · ${relations.get(number)}` : `${number}`);

/** A hook's name, short: what all names of relations' hooks share is left out. */
const shortName = (hook) => hook.replace("-relation-", " ").replace("-storage-", " ").replace("-pebble-", " ");

/**
 * The run whose write a `-changed` hook tells about, with the keys; nothing for other hooks.
 * It is the last one of the party that the hook names, before the hook began.
 */
function causeOf(one) {
  if (!one.about || !one.hook.endsWith("-relation-changed")) return null;
  const [relation, party] = one.about.split(" ");
  const number = relation.split(":").pop();
  const found = party && writes.get(`${number} ${party}`);
  if (!found) return null;
  const last = lowerBound(found, one.start) - 1;
  if (last < 0) return null;
  const column = runOf[found[last]];
  const together = found.slice(0, last + 1).filter((at) => runOf[at] === column && columnOf[at] === columnOf[found[last]]);
  return { at: found[last], run: column < 0 ? null : runs[column], keys: [...new Set(together.map((at) => events[at].key))] };
}
