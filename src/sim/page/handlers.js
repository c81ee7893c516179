// Why handlers did not run: what the charm traced, read with care, because charms wrote it.

/**
 * The handlers of a trace: `{ name, condition, ran: [...], notRun: [...] }`, those that ran first.
 * A handler is known by its name and its condition: one function may stand in a charm twice.
 */
function handlersOf(trace) {
  const handlers = new Map();
  const entry = (item) => {
    const [name, condition] = [textOf(item && item.handler), textOf(item && item.condition)];
    const key = `${name}\n${condition}`;
    if (!handlers.has(key)) handlers.set(key, { name, condition, ran: [], notRun: [] });
    return handlers.get(key);
  };
  for (const phase of listOf(trace && trace.phases)) {
    if (!phase || typeof phase !== "object") continue;
    const where = phase.phase === "hook" ? "for the hook" : `round ${textOf(phase.number)}`;
    for (const item of listOf(phase.ran)) entry(item).ran.push({ where, changed: listOf(item && item.changed).map(textOf) });
    for (const item of listOf(phase.not_run)) entry(item).notRun.push({ where, because: textOf(item && item.because) });
  }
  return [...handlers.values()].sort((one, other) => (other.ran.length > 0) - (one.ran.length > 0));
}

/** A flag with its sign: `+a` was set, `-a` was cleared. */
function flagChip(change) {
  const sign = change[0];
  if (sign !== "+" && sign !== "-") return el("span.flag", change);
  return el(`span.flag.${sign === "+" ? "set" : "cleared"}`, { title: sign === "+" ? "set" : "cleared" }, change.slice(1));
}

/** Why there is no trace, in words. */
function whyNoTrace(one) {
  if (one.outcome === "skipped") return "Nothing ran: the charm has no file for this hook.";
  if (!run.recorded) return "This run was not recorded. With Builder::record(true) charms on charms-reactive trace their handlers.";
  if (one.outcome === "killed" || one.outcome === "unfinished") return "The charm came to no end of its own, so it wrote no trace.";
  return "This charm writes no trace of its handlers; charms on charms-reactive do.";
}

/** When a handler ran in an earlier run of the unit: the last such run, and what it changed. */
function lastTime(unit, handler, before) {
  const columns = lanes.get(unit).runs;
  for (let at = lowerBound(columns, before) - 1; at >= 0; at -= 1) {
    const one = runs[columns[at]];
    if (!one.trace) continue;
    const same = handlersOf(one.trace).find((known) => known.name === handler.name && known.condition === handler.condition);
    if (same && same.ran.length > 0) return one;
  }
  return null;
}

/** A condition in words; one on a hook begins with `in` or `on` already. */
function conditionText(condition) {
  if (condition === "") return "always";
  return [/^(in|on) /.test(condition) ? "" : "when ", el("code", condition)];
}

function handlerRow(one, handler) {
  const didRun = handler.ran.length > 0;
  const row = el(`div.handler.${didRun ? "ran" : "waits"}`, { "data-handler": handler.name });
  row.append(el("div.handler-name", el("code", handler.name), el("span.badge", didRun ? "ran" : "did not run")));
  row.append(el("div.condition", conditionText(handler.condition)));
  for (const { where, changed } of handler.ran) {
    row.append(el("div.reason", `${where}: `, changed.length > 0 ? changed.map(flagChip) : "changed no flag"));
  }
  if (!didRun) {
    const before = lastTime(one.unit, handler, one.column);
    // One reason for several rounds is told once.
    const reasons = new Map();
    for (const { where, because } of handler.notRun) reasons.set(because, [...(reasons.get(because) || []), where]);
    for (const [because, places] of reasons) {
      row.append(el("div.reason.because", coded(because), " ", el("span.where", places.join(", "))));
    }
    row.append(el("div.earlier", before ? ["last ran in ", runLink(before)] : "has not run before in this unit"));
  }
  return row;
}

/** The handlers of a unit at a point: those of its last run until there. */
function handlersPanel(unit, position) {
  const panel = el("div.handlers");
  const one = lastRunOf(unit, position);
  if (!one) {
    panel.append(el("p.none", `${unit} has run no hook until here.`));
    return panel;
  }
  if (!one.trace || one.trace.unreadable) {
    const why = one.trace ? `The trace cannot be read: ${textOf(one.trace.unreadable)}` : whyNoTrace(one);
    panel.append(el("p.none", runLink(one), " ", why));
    return panel;
  }
  const handlers = handlersOf(one.trace);
  const ran = handlers.filter((handler) => handler.ran.length > 0).length;
  const automatic = listOf(one.trace.automatic).map(textOf);
  panel.append(el("p.lead", "In ", runLink(one), ` ${ran} of ${count(handlers.length, "handler")} ran.`));
  if (automatic.length > 0) panel.append(el("p.lead", "Before them the framework changed ", automatic.map(flagChip)));
  if (one.trace.error) panel.append(el("p.error", coded(textOf(one.trace.error))));
  panel.append(...handlers.map((handler) => handlerRow(one, handler)));
  return panel;
}
