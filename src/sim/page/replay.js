// The state at any point of the run: events applied one after the other, with states kept on the way.
//
// A record (a unit, a relation) is never changed, another one takes its place: so a state that is kept costs
// one list of references, and the whole run is gone through once.

/** After how many events a state is kept. */
const KEPT_EVERY = 256;

const kept = [];
let cursor = null;

const emptyState = () => ({ units: new Map(), relations: new Map(), leaders: new Map(), applications: new Map() });
const copyOf = (state) => ({
  units: new Map(state.units),
  relations: new Map(state.relations),
  leaders: new Map(state.leaders),
  applications: new Map(state.applications),
});

const NEW_UNIT = { status: "", message: "", version: "", ports: [], flags: null, kept: new Map(), storage: [], error: null, isGone: false };
const NEW_RELATION = { key: "", bags: new Map(), isGone: false };

function changeUnit(state, unit, change) {
  state.units.set(unit, { ...(state.units.get(unit) || NEW_UNIT), ...change });
}

function changeRelation(state, number, change) {
  state.relations.set(number, { ...(state.relations.get(number) || NEW_RELATION), ...change });
}

/** A copy of `map` in which `key` has the value `value`, or is missing for null. */
function withEntry(map, key, value) {
  const copy = new Map(map);
  if (value === null) copy.delete(key);
  else copy.set(key, value);
  return copy;
}

const APPLY = {
  "unit-added": (state, event) => changeUnit(state, event.unit, { isGone: false }),
  "unit-removed": (state, event) => changeUnit(state, event.unit, { isGone: true }),
  related: (state, event) => changeRelation(state, event.relation, { key: event.key, isGone: false }),
  unrelated: (state, event) => changeRelation(state, event.relation, { isGone: true }),
  "leader-changed": (state, event) => state.leaders.set(event.application, event.leader),
  "version-changed": (state, event) => changeUnit(state, event.unit, { version: event.version }),
  "port-opened": (state, event) => {
    const ports = (state.units.get(event.unit) || NEW_UNIT).ports;
    changeUnit(state, event.unit, { ports: [...new Set([...ports, event.port])].sort() });
  },
  "port-closed": (state, event) => {
    const ports = (state.units.get(event.unit) || NEW_UNIT).ports;
    changeUnit(state, event.unit, { ports: ports.filter((port) => port !== event.port) });
  },
  "storage-added": (state, event) => {
    const storage = (state.units.get(event.unit) || NEW_UNIT).storage;
    changeUnit(state, event.unit, { storage: [...new Set([...storage, event.storage])] });
  },
  "storage-detached": (state, event) => {
    const storage = (state.units.get(event.unit) || NEW_UNIT).storage;
    changeUnit(state, event.unit, { storage: storage.filter((id) => id !== event.storage) });
  },
  "status-changed": (state, event) => {
    const entry = { status: event.status, message: event.message };
    if (event.party.includes("/")) changeUnit(state, event.party, entry);
    else state.applications.set(event.party, entry);
  },
  "state-changed": (state, event) => {
    if (isFlags(event)) return changeUnit(state, event.unit, { flags: event.new === null ? null : flagsOf(event.new) });
    const known = (state.units.get(event.unit) || NEW_UNIT).kept;
    return changeUnit(state, event.unit, { kept: withEntry(known, event.key, event.new) });
  },
  "databag-changed": (state, event) => {
    const bags = (state.relations.get(event.relation) || NEW_RELATION).bags;
    const bag = withEntry(bags.get(event.party) || new Map(), event.key, event.new);
    changeRelation(state, event.relation, { bags: withEntry(bags, event.party, bag) });
  },
  "hook-ended": (state, event) => {
    if (event.error !== null) changeUnit(state, event.unit, { error: `${event.hook}: ${event.error}` });
    else if (event.committed && (state.units.get(event.unit) || NEW_UNIT).error) changeUnit(state, event.unit, { error: null });
  },
};

function applyTo(state, event) {
  const apply = APPLY[event.event];
  if (apply) apply(state, event);
}

/** Goes through the run once, and keeps states. */
(function keep() {
  const state = emptyState();
  for (let at = 0; at <= events.length; at += 1) {
    if (at % KEPT_EVERY === 0) kept.push(copyOf(state));
    if (at < events.length) applyTo(state, events[at]);
  }
})();

/** The state when the first `position` events have happened. */
function stateAt(position) {
  const from = Math.floor(position / KEPT_EVERY);
  if (!cursor || cursor.position > position || cursor.position < from * KEPT_EVERY) {
    cursor = { position: from * KEPT_EVERY, state: copyOf(kept[from]) };
  }
  for (; cursor.position < position; cursor.position += 1) applyTo(cursor.state, events[cursor.position]);
  return cursor.state;
}
