// What happened in the hook at this point: its commands, its changes, its handlers, its output.

const TABS = [
  { name: "commands", title: "Commands" },
  { name: "changes", title: "Changes" },
  { name: "handlers", title: "Handlers" },
  { name: "output", title: "Log" },
];

/** Commands that ask and change nothing. */
const ASKING = /-get$|-ids$|-list$|^is-leader$|^opened-ports$|^goal-state$/;
/** What Juju writes into databags by itself. */
const AUTOMATIC = new Set(["egress-subnets", "ingress-address", "private-address"]);
/** How much of a text is shown before somebody asks for the rest. */
const TEXT_SHOWN = 4000;

/** A reference to a run, to be clicked. */
function runLink(one) {
  return el("button.link", { type: "button", "data-go": `${one.number}` }, `#${one.number} ${one.unit} ${one.hook}`);
}

/** A value as it is, in a frame; long ones are cut until somebody asks. */
function valueBlock(text, kind) {
  const block = el(`pre.value.${kind}`, text.slice(0, TEXT_SHOWN));
  if (text.length <= TEXT_SHOWN) return block;
  const more = el("button.link", { type: "button" }, `show all ${text.length.toLocaleString("en")} characters`);
  more.addEventListener("click", () => {
    block.textContent = visible(text);
    more.remove();
  });
  return el("div", block, more);
}

/** A value on one line: what is nothing says so. */
function inlineValue(value, kind) {
  if (value === null || value === undefined) return el("span.nothing", "nothing");
  const text = textOf(value);
  return el(`span.inline.${kind || "plain"}`, { title: text.length > 80 ? text.slice(0, 2000) : "" }, text === "" ? "(empty)" : text.slice(0, 600));
}

const change = (old, now) => el("span.change", inlineValue(old, "old"), el("span.arrow", "→"), inlineValue(now, "new"));

function commandRow(event, at) {
  const isAsking = ASKING.test(event.name);
  const answer = event.stdout.trimEnd();
  const complaint = event.stderr.trimEnd();
  const failed = event.code !== 0;
  const head = el(
    "summary",
    el(`span.way.${isAsking ? "read" : "write"}`, { title: isAsking ? "read" : "written" }, isAsking ? "←" : "→"),
    el("code.line", el("b", event.name), ...event.args.map((arg) => [" ", el("span.arg", shownArg(arg))]).flat()),
    failed ? el("span.code", `exit code ${event.code}`) : null,
    answer ? el("span.answer", firstLine(answer)) : null,
  );
  const isOpen = failed && complaint !== "";
  const row = el(`details.command.${failed ? "failed" : "done"}${answer || failed ? "" : ".bare"}`, { open: isOpen, "data-event": `${at + 1}`, "data-command": event.name }, head);
  const fill = () => {
    if (row.dataset.filled) return;
    row.dataset.filled = "yes";
    if (event.args.some((arg) => arg.includes("\n") || arg.length > 60)) {
      event.args.forEach((arg, number) => row.append(el("div.stream", `argument ${number + 1}`), valueBlock(arg, "arg")));
    }
    if (event.stdin !== null && event.stdin !== undefined) row.append(el("div.stream", "standard input"), valueBlock(event.stdin, "stdin"));
    if (answer) row.append(el("div.stream", "answer"), valueBlock(event.stdout, "stdout"));
    if (complaint) row.append(el("div.stream", "standard error"), valueBlock(event.stderr, "stderr"));
    if (!answer && !complaint) row.append(el("div.stream", "no answer"));
  };
  if (isOpen) fill();
  row.addEventListener("toggle", fill);
  return row;
}

/** An argument on one line, in quotes where its ends could not be seen. */
function shownArg(arg) {
  const cut = arg.length > 120 ? `${arg.slice(0, 120)}…` : arg;
  return arg === "" || /\s/.test(arg) ? JSON.stringify(cut) : cut;
}

/** What an event says, for people; nothing for those that say something elsewhere. */
function sentence(event) {
  switch (event.event) {
    case "operator-acted":
      return [shape("operator"), el("b", event.what)];
    case "time-passed":
      return [shape("time"), `it is ${duration(event.now)} now`];
    case "action-started":
      return [`action ${event.id}, parameters `, el("code", JSON.stringify(event.parameters))];
    case "call-refused":
      return [el("code", event.name), ` was refused: ${event.text}`];
    case "status-changed":
      return [el(`span.dot.${statusClass(event.status)}`), `${event.party} is `, el("b", event.status), event.message ? `: ${event.message}` : ""];
    case "version-changed":
      return [`${event.unit} runs version `, el("b", event.version)];
    case "port-opened":
      return [`${event.unit} opens `, el("b", event.port)];
    case "port-closed":
      return [`${event.unit} closes `, el("b", event.port)];
    case "leader-changed":
      return [shape("leader"), event.leader ? `${event.leader} leads ${event.application}` : `nobody leads ${event.application}`];
    case "leader-settings-changed":
      return [`the leader settings of ${event.application} changed`];
    case "action-logged":
      return [`${event.unit} tells the action's caller: ${event.message}`];
    case "related":
      return [shape("related"), `relation ${event.relation}: `, el("b", event.key)];
    case "unrelated":
      return [shape("unrelated"), `relation ${relationName(event.relation)} is gone`];
    case "unit-added":
      return [shape("added"), `${event.unit} is added`];
    case "unit-removed":
      return [shape("removed"), `${event.unit} is gone`];
    case "unit-waits":
      return [`${event.unit} waits for its subordinates`];
    case "storage-added":
      return [`${event.unit} is to have storage ${event.storage}`];
    case "storage-detached":
      return [event.is_removed ? `storage ${event.storage} is gone` : `${event.unit} has storage ${event.storage} no more`];
    case "metric-added":
      return [`${event.unit} measures ${event.key}: ${event.value}`];
    case "charm-replaced":
      return [`${event.unit} has the files of another charm`];
    case "log":
      return [el(`span.level.${["ERROR", "WARNING"].includes(event.level) ? event.level.toLowerCase() : "info"}`, event.level), event.message];
    case "output":
      return [el("span.level.info", event.stream), event.line];
    case "databag-changed":
      return [el("span.quiet", `${relationName(event.relation)} · ${event.party} · `), el("b", event.key), " ", change(event.old, event.new)];
    case "state-changed": {
      if (!isFlags(event)) return [el("span.quiet", "state · "), el("b", event.key), " ", change(event.old, event.new)];
      const { set, cleared } = flagChange(event);
      return [el("span.quiet", "flags "), ...set.map((flag) => flagChip(`+${flag}`)), ...cleared.map((flag) => flagChip(`-${flag}`))];
    }
    case "output-dropped":
      return [el("span.level.warning", event.stream), `${count(event.bytes, "more byte")}, which are not kept`];
    case "warned":
      return [el("span.level.warning", "warning"), event.text];
    case "hook-started":
    case "hook-skipped":
    case "hook-ended":
    case "traced":
      return null;
    default: {
      // Of a later version: better as it is than not at all.
      const { event: kind, ...fields } = event;
      return [`${textOf(kind)} `, el("code", JSON.stringify(fields))];
    }
  }
}

function eventRow(event, at) {
  if (event.event === "command-run") return commandRow(event, at);
  const said = sentence(event);
  return said && el(`div.fact.${event.event}`, { "data-event": `${at + 1}` }, said);
}

/** Rows for events, many at a time where there are very many. */
function eventRows(from, to, wanted, none) {
  const panel = el("div.rows");
  const chosen = [];
  for (let at = from; at <= to; at += 1) if (wanted(events[at])) chosen.push(at);
  const ROWS_AT_ONCE = 400;
  const more = (start) => {
    const part = chosen.slice(start, start + ROWS_AT_ONCE);
    panel.append(...part.map((at) => eventRow(events[at], at)).filter(Boolean));
    const rest = chosen.length - start - part.length;
    if (rest <= 0) return;
    const button = el("button.link", { type: "button" }, `show ${count(Math.min(rest, ROWS_AT_ONCE), "more row")} of ${rest.toLocaleString("en")}`);
    button.addEventListener("click", () => {
      button.remove();
      more(start + ROWS_AT_ONCE);
    });
    panel.append(button);
  };
  more(0);
  if (panel.childElementCount === 0) panel.append(el("p.none", none));
  return panel;
}

const CHANGES = new Set(["databag-changed", "state-changed", "status-changed", "version-changed", "port-opened", "port-closed", "leader-changed", "leader-settings-changed", "related", "unrelated", "unit-added", "unit-removed", "storage-added", "storage-detached"]);
const OUTPUT = new Set(["log", "output", "output-dropped", "action-logged", "call-refused"]);
// What `juju-log` wrote is in its arguments already.
const isStep = (event) => event.event !== "log" && (!CHANGES.has(event.event) || event.event === "status-changed");

function panelOf(one, tab) {
  if (tab === "handlers") return handlersPanel(view.unit || one.unit, view.position);
  if (tab === "changes") return eventRows(one.start, one.end, (event) => CHANGES.has(event.event), "It changed nothing that others can see.");
  if (tab === "output") return eventRows(one.start, one.end, (event) => OUTPUT.has(event.event), "It wrote nothing, neither to Juju's log nor to its own output.");
  return eventRows(one.start, one.end, isStep, one.outcome === "skipped" ? "Nothing ran: the charm has no file for this hook." : "It ran no hook command.");
}

const OUTCOMES = { committed: "committed", failed: "failed", killed: "killed, runs again", skipped: "skipped", unfinished: "not over" };

function runHead(one) {
  const cause = causeOf(one);
  const facts = [
    one.exit === undefined ? null : exitText(one.exit),
    one.commands > 0 ? count(one.commands, "hook command") : null,
    `at ${duration(one.now)}`,
  ].filter(Boolean);
  return el(
    "header",
    el("h2", el("span.number", `#${one.number}`), " ", one.unit, " ", el("b", one.hook), one.about ? el("span.about", ` ${one.about}`) : null),
    el("p.facts", el(`span.outcome.${one.outcome}`, OUTCOMES[one.outcome]), one.kind === "hook" ? null : el("span.outcome.kind", one.kind), el("span", facts.join(" · "))),
    one.error && one.error !== exitText(one.exit) ? el("p.error", one.error) : null,
    cause ? el("p.cause", "because ", cause.run ? runLink(cause.run) : cause.keys.every((key) => AUTOMATIC.has(key)) ? "Juju" : "somebody", " wrote ", cause.keys.slice(0, 6).map((key) => [el("code", key), " "]).flat(), cause.keys.length > 6 ? `and ${cause.keys.length - 6} more` : null) : null,
  );
}

function tabBar(names) {
  return el("div.tabs", { role: "tablist" }, ...names.map(({ name, title, number }, at) =>
    el(`button.tab${name === view.tab ? ".chosen" : ""}`, { type: "button", role: "tab", "data-tab": name, "aria-selected": `${name === view.tab}`, title: `${title} (${at + 1})` }, title, number ? el("span.number", `${number}`) : null)));
}

/** How many rows each tab has. */
function tabsOf(one) {
  const counted = { commands: one.commands, changes: 0, handlers: 0, output: 0 };
  for (let at = one.start; at <= one.end; at += 1) {
    if (CHANGES.has(events[at].event)) counted.changes += 1;
    if (OUTPUT.has(events[at].event)) counted.output += 1;
  }
  const shown = lastRunOf(view.unit || one.unit, view.position);
  counted.handlers = shown && shown.trace ? handlersOf(shown.trace).length : 0;
  return TABS.map((tab) => ({ ...tab, number: counted[tab.name] }));
}

/** Draws the left half: the run at this point, or what happened between two runs. */
function drawDetail() {
  const detail = byId("detail");
  const one = runAt(view.position);
  if (one) {
    detail.replaceChildren(runHead(one), tabBar(tabsOf(one)), el("div.panel", panelOf(one, view.tab)));
  } else {
    const column = view.position > 0 ? columnOf[view.position - 1] : 0;
    const from = column > 0 ? runs[column - 1].end + 1 : 0;
    const to = (column < runs.length ? runs[column].start : events.length) - 1;
    const where = runs.length === 0 ? "No hook ran" : column === 0 ? "Before the first hook" : column === runs.length ? "After the last hook" : `Between #${column} and #${column + 1}`;
    const tabs = TABS.filter((tab) => ["commands", "handlers"].includes(tab.name)).map((tab) => (tab.name === "commands" ? { ...tab, title: "Events" } : tab));
    const isHandlers = view.tab === "handlers" && view.unit;
    const panel = isHandlers ? handlersPanel(view.unit, view.position) : eventRows(from, to, () => true, "Nothing happened here.");
    detail.replaceChildren(el("header", el("h2", where), el("p.facts", el("span", "what the model and its operator did"))), tabBar(tabs), el("div.panel", panel));
  }
  for (const row of detail.querySelectorAll("[data-event]")) row.classList.toggle("later", Number(row.dataset.event) > view.position);
}
