// The state at this point: of a unit, and of the relations that it is in.

/** What a run changed until here: keys of `flags`, `kept`, and `relation party key` of databags. */
function changesUntil(one, position) {
  const changes = { set: new Set(), cleared: new Set(), kept: new Map(), bags: new Map(), ports: new Set() };
  if (!one) return changes;
  for (let at = one.start; at < Math.min(position, one.end + 1); at += 1) {
    const event = events[at];
    if (isFlags(event)) {
      const difference = flagChange(event);
      difference.set.forEach((flag) => changes.set.add(flag));
      difference.cleared.forEach((flag) => changes.cleared.add(flag));
    } else if (event.event === "state-changed") {
      changes.kept.set(event.key, event.old);
    } else if (event.event === "databag-changed") {
      const key = `${event.relation} ${event.party} ${event.key}`;
      if (!changes.bags.has(key)) changes.bags.set(key, event.old);
    } else if (event.event === "port-opened") {
      changes.ports.add(event.port);
    }
  }
  return changes;
}

/** A line `key  value`, with the value before where this run changed it. */
function pair(key, value, olds, name) {
  const isNew = olds.has(name);
  const old = olds.get(name);
  return el(
    `div.pair${isNew ? ".new" : ""}`,
    { "data-key": key },
    el("span.key", key),
    el("span.values", isNew && old !== null && old !== undefined ? [inlineValue(old, "old"), el("span.arrow", "→")] : null, inlineValue(value, isNew ? "new" : "plain")),
  );
}

function flagsBlock(unit, changes) {
  const flags = unit.flags;
  const gone = [...changes.cleared].map((flag) => el("span.flag.cleared", { title: "cleared by this hook" }, flag));
  if (flags === null && gone.length === 0) return el("p.none", "none that Juju keeps for this unit");
  const chips = listOf(flags).map((flag) => el(`span.flag${changes.set.has(flag) ? ".set" : ""}`, { "data-flag": flag, title: changes.set.has(flag) ? "set by this hook" : "" }, flag));
  return el("div.flags", ...chips, ...gone);
}

/** The databags of one relation: the unit's own side first, others folded unless something is new there. */
function relationBlock(number, relation, unit, changes, one) {
  const application = unit.split("/")[0];
  const rank = (party) => (party === unit ? 0 : party === application ? 1 : party.startsWith(`${application}/`) ? 3 : 2);
  const parties = [...relation.bags.keys()].filter((party) => relation.bags.get(party).size > 0 || [...changes.bags.keys()].some((key) => key.startsWith(`${number} ${party} `)));
  parties.sort((left, right) => rank(left) - rank(right) || left.localeCompare(right, "en", { numeric: true }));
  const named = one && one.about ? one.about.split(" ")[1] : null;
  const blocks = parties.map((party) => {
    const bag = relation.bags.get(party);
    const prefix = `${number} ${party} `;
    const removed = [...changes.bags.keys()].filter((key) => key.startsWith(prefix) && !bag.has(key.slice(prefix.length)));
    const isNew = [...changes.bags.keys()].some((key) => key.startsWith(prefix));
    const isOpen = rank(party) < 2 || isNew || party === named || parties.length <= 4;
    const block = el("details.bag", { open: isOpen, "data-bag": `${number} ${party}` }, el("summary", el("span.party", party), el("span.quiet", party === unit ? "its own" : ""), el("span.quiet.right", count(bag.size, "key"))));
    const fill = () => {
      if (block.dataset.filled) return;
      block.dataset.filled = "yes";
      block.append(...[...bag].map(([key, value]) => pair(key, value, changes.bags, `${prefix}${key}`)), ...removed.map((key) => pair(key.slice(prefix.length), null, changes.bags, key)));
    };
    if (isOpen) fill();
    block.addEventListener("toggle", fill);
    return block;
  });
  return el("section.relation", el("h4", `relation ${number}`, el("span.quiet", ` ${relation.key || relations.get(number) || ""}${relation.isGone ? " (gone)" : ""}`)), ...(blocks.length > 0 ? blocks : [el("p.none", "nothing is written here")]));
}

const isIn = (relation, application) => relation.key.split(/\s+/).some((end) => end.split(":")[0] === application);

/** Draws the right half. */
function drawState() {
  const state = stateAt(view.position);
  const one = runAt(view.position);
  const units = [...lanes.keys()];
  const choice = el("select", { id: "unit", "aria-label": "Unit" }, ...[...applications].map(([application, of]) => el("optgroup", { label: application }, ...of.map((lane) => el("option", { value: lane.unit, selected: lane.unit === view.unit }, lane.unit)))));
  const moment = one ? (view.position > one.end ? `after #${one.number}` : `in #${one.number}`) : view.position === 0 ? "at the beginning" : view.position === events.length ? "at the end" : `before #${columnOf[view.position - 1] + 1}`;
  const head = el("header", el("h2", "State of ", choice, el("span.about", ` ${moment}`)));
  const target = byId("state");
  if (units.length === 0) {
    target.replaceChildren(el("p.none", "There is no unit in this run."));
    return;
  }
  const unit = state.units.get(view.unit);
  if (!unit) {
    target.replaceChildren(head, el("div.panel", el("p.none", `${view.unit} is not there yet.`)));
    return;
  }
  const application = view.unit.split("/")[0];
  const leader = state.leaders.get(application);
  const own = changesUntil(one && one.unit === view.unit ? one : null, view.position);
  const all = changesUntil(one, view.position);
  const byRelation = [...state.relations].filter(([, relation]) => isIn(relation, application) && !(relation.isGone && one === null));
  const applicationStatus = state.applications.get(application);
  const line = (name, ...value) => el("div.line", el("span.key", name), el("span.values", ...value));
  target.replaceChildren(
    head,
    el(
      "div.panel",
      unit.isGone ? el("p.none", "This unit is gone; what is below is what it left.") : null,
      unit.error ? el("p.error", unit.error) : null,
      line("workload", el(`span.dot.${statusClass(unit.status)}`), el("b", { id: "workload" }, unit.status || "no status yet"), unit.message ? ` ${unit.message}` : "", unit.version ? el("span.quiet", ` version ${unit.version}`) : null),
      applicationStatus ? line("application", el(`span.dot.${statusClass(applicationStatus.status)}`), el("b", applicationStatus.status), applicationStatus.message ? ` ${applicationStatus.message}` : "") : null,
      line("leader", leader === view.unit ? el("b", "this unit") : leader || "nobody"),
      line("ports", unit.ports.length > 0 ? unit.ports.map((port) => el(`span.flag${own.ports.has(port) ? ".set" : ""}`, port)) : el("span.nothing", "none open")),
      unit.storage.length > 0 ? line("storage", unit.storage.join(", ")) : null,
      el("h3", "Flags", el("span.quiet", unit.flags ? ` ${unit.flags.length}` : "")),
      flagsBlock(unit, own),
      el("h3", "Relations"),
      ...(byRelation.length > 0 ? byRelation.map(([number, relation]) => relationBlock(number, relation, view.unit, all, one)) : [el("p.none", "none")]),
      unit.kept.size > 0 ? el("h3", "Kept state") : null,
      ...[...unit.kept].map(([key, value]) => pair(key, value, own.kept, key)),
    ),
  );
}
