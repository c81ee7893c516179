// What is shown, and what keys, clicks and the address of the page do to it.

/** What is looked at: so many events have happened, this unit is of interest, this tab is open. */
const view = { position: 0, unit: lanes.keys().next().value || null, tab: "commands", found: 0, isFollowing: true };

/** The run that the last event before a point belongs to; nothing between runs. */
function runAt(position) {
  const column = position > 0 ? runOf[position - 1] : -1;
  return column < 0 ? null : runs[column];
}

function draw() {
  drawTimeline();
  drawWindow();
}

/** Draws everything after the room for it has changed. */
function redraw() {
  measure();
  layOut();
  draw();
  drawBars();
}

/** Goes to a point of the run; the unit is that of the run there, if no other is asked for. */
function go(position, { unit, isQuiet } = {}) {
  view.position = Math.max(0, Math.min(events.length, position));
  const one = runAt(view.position);
  const wanted = unit || (one && one.unit);
  if (wanted && lanes.has(wanted)) view.unit = wanted;
  reveal(view.position, view.unit);
  draw();
  drawDetail();
  drawState();
  drawPoint();
  if (!isQuiet) writeAddress();
}

const goTo = (one) => one && go(one.end + 1, { unit: one.unit });

function drawPoint() {
  const one = runAt(view.position);
  byId("scrubber").value = view.position;
  const number = one ? one.number : view.position > 0 ? columnOf[view.position - 1] : 0;
  const now = one ? one.now : number > 0 ? runs[number - 1].now : 0;
  byId("point").textContent = `hook ${number} of ${runs.length} · event ${view.position} of ${events.length} · ${duration(now)}`;
}

/** The column at this point, or the one before it. */
function columnHere() {
  const one = runAt(view.position);
  if (one) return one.column;
  return (view.position > 0 ? columnOf[view.position - 1] : 0) - 0.5;
}

/** The next run in a direction, of a unit if one is named, for which `isWanted` holds. */
function neighbour(step, unit, isWanted = () => true) {
  const columns = unit ? lanes.get(unit).runs : null;
  const here = columnHere();
  let column = step > 0 ? Math.floor(here + 1) : Math.ceil(here - 1);
  if (columns) {
    const at = step > 0 ? lowerBound(columns, column) : lowerBound(columns, column + 1) - 1;
    return columns[at] === undefined ? null : runs[columns[at]];
  }
  while (column >= 0 && column < runs.length && !isWanted(runs[column])) column += step;
  return runs[column] || null;
}

/** The unit in the lane above or below. */
function unitBeside(step) {
  const units = rows.filter((row) => row.kind === "unit").map((row) => row.name);
  const at = units.indexOf(view.unit);
  return units[Math.max(0, Math.min(units.length - 1, at + step))] || view.unit;
}

function chooseUnit(unit) {
  view.unit = unit;
  view.tab = view.tab === "handlers" ? "handlers" : view.tab;
  reveal(view.position, unit);
  draw();
  drawDetail();
  drawState();
}

function chooseTab(name) {
  view.tab = name;
  drawDetail();
  writeAddress();
}

// The address of the page names the point: `#hook=123`, `#event=456`, and `&tab=handlers`, `&unit=web/0`.

/** Browsers take only so many new addresses in a row: a key that is held down waits until it is let go. */
let writing = 0;

function writeAddress() {
  clearTimeout(writing);
  writing = setTimeout(writeAddressNow, 120);
}

function writeAddressNow() {
  const one = runAt(view.position);
  const parts = [one && view.position === one.end + 1 ? `hook=${one.number}` : `event=${view.position}`];
  if (view.tab !== "commands") parts.push(`tab=${view.tab}`);
  if (one && view.unit !== one.unit) parts.push(`unit=${encodeURIComponent(view.unit)}`);
  history.replaceState(null, "", `#${parts.join("&")}`);
}

function readAddress() {
  clearTimeout(writing);
  const wanted = new URLSearchParams(location.hash.slice(1));
  if (TABS.some((tab) => tab.name === wanted.get("tab"))) view.tab = wanted.get("tab");
  const unit = wanted.get("unit");
  const one = runs[Number(wanted.get("hook")) - 1];
  if (one) return go(one.end + 1, { unit: unit || one.unit, isQuiet: true });
  if (/^\d+$/.test(wanted.get("event") || "")) return go(Number(wanted.get("event")), { unit, isQuiet: true });
  // What went wrong is why most pages are opened.
  const wrong = runs.find((known) => known.outcome === "failed");
  const last = runs[runs.length - 1];
  return go((wrong || last || { end: -1 }).end + 1, { isQuiet: true });
}

// Looking for something.

function look() {
  search(byId("query").value);
  view.found += 1;
  const matches = byId("matches");
  matches.textContent = found ? `${found.length.toLocaleString("en")} of ${runs.length.toLocaleString("en")}` : "";
  byId("match-before").disabled = byId("match-after").disabled = !found || found.length === 0;
  drawTimeline();
  drawBars();
}

const goToMatch = (step) => goTo(matchFrom(Math.floor(columnHere()), step));

function drawLegend() {
  const counts = Map.groupBy(runs, (one) => one.outcome);
  const names = ["committed", "failed", "killed", "skipped", "unfinished"].filter((name) => counts.has(name));
  byId("legend").replaceChildren(
    ...names.map((name) =>
      el("button.chip", { type: "button", "data-outcome": name, "aria-pressed": `${!hiddenOutcomes.has(name)}`, title: `Show hooks that ended so, or not` }, el(`span.swatch.${name}`), name, el("span.quiet", counts.get(name).length.toLocaleString("en")))),
  );
}

function drawHead() {
  const units = lanes.size;
  document.title = `Run of seed ${run.seed}`;
  byId("title").textContent = `Seed ${run.seed}`;
  const facts = [`Juju ${run.juju}`, `model ${run.model}`, `${count(units, "unit")} of ${count(applications.size, "application")}`, run.substrate === "pods" ? "in pods" : "on machines"];
  if (run.dropped > 0) facts.push(`begins after ${count(run.dropped, "event")} that were not kept`);
  byId("facts").textContent = facts.join(" · ");
}

const KEYS = [
  ["← →", "hook before, next hook"],
  ["Shift ← →", "the same, of the same unit"],
  ["↑ ↓", "unit above, unit below"],
  [", .", "one event back, one event on"],
  ["Home End", "beginning and end of the run"],
  ["f F", "next failed hook, the one before"],
  ["/", "find; n and N go through the matches"],
  ["1 2 3 4", "commands, changes, handlers, log"],
  ["+ - 0", "larger, smaller, fitting; also Ctrl and the wheel"],
  ["?", "this help"],
];

function fillHelp() {
  byId("help").append(
    el("h2", "Keys"),
    el("dl", ...KEYS.flatMap(([keys, what]) => [el("dt", ...keys.split(" ").flatMap((key) => [el("kbd", key), " "])), el("dd", what)])),
    el("h2", "Reading the page"),
    el("p", "Each column is one run of a charm, in the order in which they ran; each row is a unit. The thin line below the boxes is the unit's workload status. Marks in the model's row are what the operator did, and relations, leaders and units that come and go; the ruler has the time in the model."),
    el("p", "Find takes words, or words of one kind: ", el("code", KINDS.map((kind) => `${kind}:`).join(" "))),
    el("p", "The address of the page leads back to the point that is shown: ", el("code", "#hook=12"), "."),
    el("button", { type: "button", id: "help-close" }, "Close"),
  );
}

// Keys.

const KEY = {
  ArrowLeft: (event) => goTo(neighbour(-1, event.shiftKey ? view.unit : null)),
  ArrowRight: (event) => goTo(neighbour(1, event.shiftKey ? view.unit : null)),
  ArrowUp: () => chooseUnit(unitBeside(-1)),
  ArrowDown: () => chooseUnit(unitBeside(1)),
  ",": () => go(view.position - 1),
  ".": () => go(view.position + 1),
  Home: () => go(0),
  End: () => go(events.length),
  f: () => goTo(neighbour(1, null, (one) => one.outcome === "failed")),
  F: () => goTo(neighbour(-1, null, (one) => one.outcome === "failed")),
  n: () => goToMatch(1),
  N: () => goToMatch(-1),
  "/": () => byId("query").focus(),
  "+": () => zoom(columnWidth * 1.4),
  "=": () => zoom(columnWidth * 1.4),
  "-": () => zoom(columnWidth / 1.4),
  0: () => zoom(fittingWidth()),
  "?": () => byId("help").showModal(),
};
TABS.forEach((tab, at) => {
  KEY[`${at + 1}`] = () => chooseTab(tab.name);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const isTyping = event.target.id === "query";
  const isMoved = event.target.id === "scrubber" && /^(Arrow|Home|End|Page)/.test(event.key);
  if (isTyping && event.key === "Enter") {
    goToMatch(event.shiftKey ? -1 : 1);
  } else if (isTyping && event.key === "Escape") {
    byId("query").value = "";
    look();
    timeline.focus();
  } else if (!isTyping && !isMoved && event.target.tagName !== "SELECT" && Object.hasOwn(KEY, event.key)) {
    event.preventDefault();
    KEY[event.key](event);
  }
});

// Clicks.

document.addEventListener("click", (event) => {
  const target = (name) => event.target.closest(`[data-${name}]`)?.dataset[name];
  const outcome = target("outcome");
  if (outcome) {
    if (!hiddenOutcomes.delete(outcome)) hiddenOutcomes.add(outcome);
    drawLegend();
    look();
  } else if (target("tab")) {
    chooseTab(target("tab"));
  } else if (target("go")) {
    goTo(runs[Number(target("go")) - 1]);
  }
});

byId("detail").addEventListener("click", (event) => {
  // A row of what happened is a point of the run; a command opens besides, and stays where it is.
  const row = event.target.closest(".fact[data-event]");
  if (row && !window.getSelection().toString()) go(Number(row.dataset.event), { unit: view.unit });
});

timeline.addEventListener("click", (event) => {
  const fold = event.target.closest("[data-fold]");
  const name = event.target.closest("[data-unit]");
  const box = event.target.closest("[data-run]");
  const mark = event.target.closest("[data-event]");
  timeline.focus({ preventScroll: true });
  if (fold) {
    const application = fold.dataset.fold;
    if (!folded.delete(application)) folded.add(application);
    layOut();
    draw();
  } else if (name) {
    chooseUnit(name.dataset.unit);
  } else if (box) {
    goTo(runs[Number(box.dataset.run) - 1]);
  } else if (mark) {
    go(Number(mark.dataset.event));
  } else if (runs.length > 0 && !event.target.closest("#ruler")) {
    const unit = unitUnder(event.clientY);
    go(runs[columnUnder(event.clientX)].end + 1, { unit: unit || view.unit });
  }
});

/** Has `move` told of the pointer from where it is pressed until it is let go. */
function dragged(element, move) {
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.target.closest("[data-event]")) return;
    event.preventDefault();
    element.setPointerCapture(event.pointerId);
    move(event);
    element.addEventListener("pointermove", move);
    element.addEventListener("lostpointercapture", () => element.removeEventListener("pointermove", move), { once: true });
  });
}

if (runs.length > 0) {
  dragged(byId("ruler"), (event) => go(runs[columnUnder(event.clientX)].end + 1, { unit: view.unit }));
  dragged(overview, (event) => go(runs[columnOnStrip(event.clientX)].end + 1, { unit: view.unit }));
}
dragged(byId("grip"), (event) => {
  const share = ((window.innerHeight - event.clientY) / window.innerHeight) * 100;
  document.body.style.setProperty("--drawer", `${Math.max(15, Math.min(75, share))}vh`);
  redraw();
});

// A card beside the pointer: what a box stands for.

timeline.addEventListener("pointermove", (event) => {
  const box = event.target.closest("[data-run]");
  const mark = event.target.closest("[data-group]");
  const card = byId("card");
  card.hidden = !box && !mark;
  if (box) {
    const one = runs[Number(box.dataset.run) - 1];
    card.replaceChildren(el("b", `#${one.number} ${one.unit} ${one.hook}`), one.about ? ` ${one.about}` : "", el("div", el(`span.swatch.${one.outcome}`), [OUTCOMES[one.outcome], one.commands > 0 ? count(one.commands, "hook command") : null, duration(one.now)].filter(Boolean).join(" · ")), one.error ? el("div.error", one.error) : "");
  } else if (mark) {
    const group = markGroups[Number(mark.dataset.group)];
    const shown = group.marks.slice(0, 8).map(({ at }) => el("div.fact", sentence(events[at]) || ""));
    card.replaceChildren(...shown, group.marks.length > 8 ? el("div.quiet", `and ${group.marks.length - 8} more`) : "");
  }
  if (card.hidden) return;
  const [width, height] = [card.offsetWidth, card.offsetHeight];
  const y = event.clientY + 18 + height > window.innerHeight ? event.clientY - height - 10 : event.clientY + 18;
  positioned(card, { x: Math.max(4, Math.min(event.clientX + 12, window.innerWidth - width - 8)), y });
});
timeline.addEventListener("pointerleave", () => {
  byId("card").hidden = true;
});

let isDrawing = false;
timeline.addEventListener("scroll", () => {
  [scrolled.x, scrolled.y] = [timeline.scrollLeft, timeline.scrollTop];
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    draw();
  });
});
timeline.addEventListener("wheel", (event) => {
  if (!event.ctrlKey) return;
  event.preventDefault();
  zoom(columnWidth * Math.exp(-event.deltaY / 300), event.clientX - timeline.getBoundingClientRect().left);
}, { passive: false });

byId("query").addEventListener("input", look);
byId("match-before").addEventListener("click", () => goToMatch(-1));
byId("match-after").addEventListener("click", () => goToMatch(1));
byId("hook-before").addEventListener("click", () => goTo(neighbour(-1, null)));
byId("hook-after").addEventListener("click", () => goTo(neighbour(1, null)));
byId("zoom-in").addEventListener("click", () => zoom(columnWidth * 1.4));
byId("zoom-out").addEventListener("click", () => zoom(columnWidth / 1.4));
byId("scrubber").addEventListener("input", (event) => go(Number(event.target.value), { unit: view.unit }));
byId("state").addEventListener("change", (event) => {
  if (event.target.id === "unit") chooseUnit(event.target.value);
});
byId("help-open").addEventListener("click", () => byId("help").showModal());
byId("help").addEventListener("click", (event) => {
  if (event.target.id === "help-close" || event.target === byId("help")) byId("help").close();
});
window.addEventListener("hashchange", readAddress);
window.addEventListener("resize", redraw);

byId("scrubber").max = events.length;
drawHead();
drawLegend();
fillHelp();
measure();
columnWidth = fittingWidth();
layOut();
look();
readAddress();
document.body.dataset.ready = "yes";
