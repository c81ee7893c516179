// The lanes: one row a unit, one column a run.  Only what is in sight is in the document.

const NAMES_WIDTH = 190;
/** With the row of the model's own marks. */
const RULER_HEIGHT = 62;
/** Room before the first column, for what happened before it. */
const PAD = 18;
const APPLICATION_ROW = 24;
const UNIT_ROW = 26;
const COLUMN_MIN = 3;
const COLUMN_MAX = 160;
/** From which width of a column on its label stands in the box. */
const LABEL_IN_BOX = 64;

const timeline = byId("timeline");
const sheet = byId("sheet");
const folded = new Set();
/** `{ kind, name, top, height }` from the top down. */
let rows = [];
const rowOfUnit = new Map();
let columnWidth = 20;
let drawn = "";
/** Sizes as they were measured last: to ask for them between changes of the document has it laid out again. */
const size = { width: 0, height: 0, sheet: 0, sheetWidth: 0, strip: 0 };
/** How far the lanes are scrolled, kept for the same reason. */
const scrolled = { x: 0, y: 0 };

function scrollLanes(x, y) {
  const within = (value, most) => Math.max(0, Math.min(Math.round(value), most));
  scrolled.x = within(x, size.sheetWidth - size.width);
  scrolled.y = within(y, size.sheet - size.height);
  timeline.scrollTo(scrolled.x, scrolled.y);
}

function measure() {
  size.width = timeline.clientWidth;
  size.height = timeline.clientHeight;
  size.strip = overview.clientWidth;
}

const left = (column) => NAMES_WIDTH + PAD + column * columnWidth;

/** Where an event stands, in columns: between runs on the line between two columns. */
function place(at) {
  const column = runOf[at];
  if (column < 0) return columnOf[at];
  const one = runs[column];
  return column + (at - one.start + 1) / (one.end - one.start + 1);
}

/** Where a point of the run stands, in columns. */
const placeOf = (position) => (position > 0 ? place(position - 1) : 0);

/** Lays the rows out. */
function layOut() {
  rows = [];
  rowOfUnit.clear();
  let top = RULER_HEIGHT;
  const push = (kind, name, height) => {
    const row = { kind, name, top, height };
    rows.push(row);
    top += height;
    return row;
  };
  for (const [application, units] of applications) {
    const head = push("application", application, APPLICATION_ROW);
    for (const lane of units) {
      rowOfUnit.set(lane.unit, folded.has(application) ? head : push("unit", lane.unit, UNIT_ROW));
    }
  }
  size.sheet = Math.max(top + 8, size.height);
  sheet.style.height = `${top + 8}px`;
  sheet.classList.toggle("narrow", columnWidth < 6);
  size.sheetWidth = Math.max(left(runs.length) + PAD + 150, size.width);
  sheet.style.width = `${size.sheetWidth}px`;
  drawn = "";
}

/** Marks with their places, those at the same place together. */
const markGroups = (() => {
  const groups = [];
  for (const mark of marks) {
    const at = runOf[mark.at] < 0 ? columnOf[mark.at] : runOf[mark.at] + 0.5;
    const last = groups[groups.length - 1];
    if (last && last.place === at) last.marks.push(mark);
    else groups.push({ place: at, marks: [mark] });
  }
  return groups;
})();

/** Which kind stands for several marks at one place. */
const WEIGHT = ["operator", "leader", "unrelated", "related", "removed", "added", "other"];
const strongest = (group) => WEIGHT.find((kind) => group.marks.some((mark) => mark.kind === kind));

function positioned(element, { x, y, width, height }) {
  if (x !== undefined) element.style.left = `${x}px`;
  if (y !== undefined) element.style.top = `${y}px`;
  if (width !== undefined) element.style.width = `${width}px`;
  if (height !== undefined) element.style.height = `${height}px`;
  return element;
}

/** What is in sight. */
function sight() {
  const { x: from, y: top } = scrolled;
  const columns = {
    first: Math.max(0, Math.floor((from - PAD) / columnWidth) - 1),
    last: Math.min(runs.length - 1, Math.ceil((from + size.width - NAMES_WIDTH) / columnWidth) + 1),
  };
  const bottom = top + size.height;
  const seen = rows.filter((row) => row.top + row.height > top && row.top < bottom);
  return { columns, rows: seen, isSeen: (row) => row.top + row.height > top && row.top < bottom };
}

/** Draws what is in sight. */
function drawTimeline() {
  const { columns, rows: seen, isSeen } = sight();
  const key = [columns.first, columns.last, seen[0] && seen[0].top, seen.length, columnWidth, view.position, view.unit, view.found, folded.size].join();
  if (key === drawn) return;
  drawn = key;
  drawRuler(columns);
  drawNames(seen);
  const at = runAt(view.position);
  byId("stripes").replaceChildren(
    ...seen.map((row) => positioned(el(`div.stripe.${row.kind}${row.name === view.unit ? ".chosen" : ""}`), { y: row.top, height: row.height })),
    ...(at ? [positioned(el("div.band"), { x: left(at.column), width: columnWidth, y: RULER_HEIGHT, height: size.sheet - RULER_HEIGHT })] : []),
  );
  byId("ribbons").replaceChildren(...seen.filter((row) => row.kind === "unit").flatMap((row) => ribbon(row, columns)));
  byId("boxes").replaceChildren(...boxes(columns, isSeen), ...leaderMarks(seen, columns));
  byId("marks").replaceChildren(...modelMarks(columns));
  positioned(byId("playhead"), { x: left(placeOf(view.position)), height: size.sheet });
}

function drawRuler(columns) {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
  const step = steps.find((size) => size * columnWidth >= 48) || 10000;
  const ticks = [];
  for (let number = Math.max(step, Math.ceil((columns.first + 1) / step) * step); number <= columns.last + 1; number += step) {
    ticks.push(positioned(el("span.tick", `${number}`), { x: left(number - 1) - NAMES_WIDTH, width: columnWidth }));
  }
  let end = -Infinity;
  for (let column = Math.max(columns.first, 0); column <= columns.last; column += 1) {
    const isFirst = column === columns.first;
    if (!isFirst && runs[column].now === runs[column - 1].now) continue;
    const x = left(column) - NAMES_WIDTH;
    const hasRoom = x >= end;
    if (!hasRoom && columnWidth < 8) continue;
    ticks.push(positioned(el(`span.hour${hasRoom ? "" : ".small"}${isFirst && column > 0 ? ".goes-on" : ""}`, hasRoom ? duration(runs[column].now) : ""), { x }));
    if (hasRoom) end = x + 64;
  }
  byId("ticks").replaceChildren(...ticks);
}

function drawNames(seen) {
  const state = stateAt(view.position);
  const names = seen.map((row) => {
    if (row.kind === "application") {
      const units = applications.get(row.name);
      const isFolded = folded.has(row.name);
      const parts = [el("span.fold", isFolded ? "▸" : "▾"), el("b", row.name), el("span.quiet", count(units.length, "unit"))];
      return el("button.name.application", { type: "button", "data-fold": row.name, "aria-expanded": `${!isFolded}` }, parts);
    }
    const unit = state.units.get(row.name);
    const isLeader = state.leaders.get(row.name.split("/")[0]) === row.name;
    const dot = el(`span.dot.${statusClass(unit ? unit.status : "")}`, { title: unit && unit.status ? `${unit.status} ${unit.message}` : "no status yet" });
    const isThere = unit && !unit.isGone;
    return el(
      `button.name.unit${row.name === view.unit ? ".chosen" : ""}${isThere ? "" : ".gone"}`,
      { type: "button", "data-unit": row.name },
      dot,
      el("span.text", row.name),
      isLeader && isThere ? shape("leader") : null,
      unit && unit.error && isThere ? el("span.wrong", { title: unit.error }, "error") : null,
    );
  });
  names.forEach((name, at) => positioned(name, { y: seen[at].top - RULER_HEIGHT, height: seen[at].height }));
  byId("names").replaceChildren(...names);
}

const STATUSES = ["active", "waiting", "blocked", "maintenance", "error", "terminated", "unknown"];
const statusClass = (status) => (STATUSES.includes(status) ? status : "unset");

/** The life of a unit, in the colours of its workload status. */
function ribbon(row, columns) {
  const lane = lanes.get(row.name);
  const [from, to] = [place(lane.from), lane.to === null ? runs.length : place(lane.to)];
  const pieces = [{ x: from, status: "unset" }];
  const first = Math.max(0, lowerBound(lane.statuses, columns.first, (entry) => place(entry.at)) - 1);
  for (const entry of lane.statuses.slice(first)) {
    if (place(entry.at) > columns.last + 1) break;
    pieces.push({ x: Math.max(place(entry.at), from), status: entry.status, message: entry.message });
  }
  if (first > 0) pieces.shift();
  return pieces.flatMap((piece, at) => {
    const next = at + 1 < pieces.length ? pieces[at + 1].x : Math.min(to, columns.last + 2);
    const [x, end] = [Math.max(piece.x, columns.first), Math.min(next, to)];
    if (end <= x) return [];
    const title = piece.message === undefined ? "" : `${piece.status} ${piece.message}`;
    const box = { x: left(x), width: (end - x) * columnWidth, y: row.top + row.height - 5, height: 2 };
    return [positioned(el(`div.ribbon.${statusClass(piece.status)}`, { title }), box)];
  });
}

function boxes(columns, isSeen) {
  const drawnBoxes = [];
  const gap = columnWidth >= 8 ? 2 : columnWidth >= 5 ? 1 : 0;
  // A label may reach into sight from a box that is not.
  const first = Math.max(0, columns.first - Math.ceil(140 / columnWidth));
  for (let column = first; column <= columns.last; column += 1) {
    const one = runs[column];
    const row = rowOfUnit.get(one.unit);
    if (!isSeen(row)) continue;
    const isFaint = foundSet && !foundSet.has(column);
    const isChosen = runAt(view.position) === one;
    const classes = `${one.outcome}.${one.kind}${isFaint ? ".faint" : ""}${isChosen ? ".chosen" : ""}`;
    const y = row.top + (row.kind === "unit" ? 3 : 4);
    const inside = columnWidth >= LABEL_IN_BOX;
    const box = el(`div.box.${classes}`, { "data-run": `${one.number}` }, inside ? el("span.label", shortName(one.hook)) : null);
    drawnBoxes.push(positioned(box, { x: left(column), y, width: Math.max(columnWidth - gap, 2), height: 16 }));
    if (inside || row.kind !== "unit" || columnWidth < 8) continue;
    const own = lanes.get(one.unit).runs;
    const next = own[lowerBound(own, column + 1)];
    const free = ((next === undefined ? column + 9 : next) - column - 1) * columnWidth - 4;
    if (free < 42) continue;
    const label = el(`div.beside${isFaint ? ".faint" : ""}`, shortName(one.hook));
    drawnBoxes.push(positioned(label, { x: left(column + 1) + 1, y, width: Math.min(free, 140) }));
  }
  return drawnBoxes;
}

function modelMarks(columns) {
  const first = lowerBound(markGroups, columns.first - 1, (group) => group.place);
  const drawnMarks = [];
  let end = -Infinity;
  for (const group of markGroups.slice(first)) {
    if (group.place > columns.last + 1) break;
    const x = left(group.place) - NAMES_WIDTH - 8;
    const kind = strongest(group);
    // Where there is no room for all, those that somebody did have it.
    if (x < end && kind !== "operator") continue;
    end = x + 15;
    const target = `${group.marks[group.marks.length - 1].at + 1}`;
    const number = group.marks.length > 1 && columnWidth >= 14 ? el("span.many", `${group.marks.length}`) : null;
    const mark = el(`button.mark.${kind}`, { type: "button", "data-event": target, "data-group": `${markGroups.indexOf(group)}`, tabIndex: -1 }, shape(kind), number);
    drawnMarks.push(positioned(mark, { x, y: 4 }));
  }
  return drawnMarks;
}

function leaderMarks(seen, columns) {
  return seen.filter((row) => row.kind === "unit").flatMap((row) => {
    const leads = lanes.get(row.name).leads.filter((at) => place(at) >= columns.first && place(at) <= columns.last + 1);
    return leads.map((at) => positioned(el("div.crown", { title: `${row.name} leads from here on` }, shape("leader")), { x: left(place(at)) - 13, y: row.top + 5 }));
  });
}

/** Another width of columns; what is under `x` stays there. */
function zoom(width, x = size.width / 2) {
  const fixed = (scrolled.x + x - NAMES_WIDTH - PAD) / columnWidth;
  columnWidth = Math.min(COLUMN_MAX, Math.max(COLUMN_MIN, width));
  layOut();
  scrollLanes(fixed * columnWidth + NAMES_WIDTH + PAD - x, scrolled.y);
  draw();
}

/** The width with which a short run fills the room that there is; a long one is scrolled through. */
function fittingWidth() {
  const room = size.width - NAMES_WIDTH - 2 * PAD;
  return Math.min(110, Math.max(20, Math.floor(room / Math.max(runs.length, 1))));
}

/** Moves the least that brings a point, and the row of a unit, into sight. */
function reveal(position, unit) {
  const x = left(placeOf(position));
  const isInSight = x >= scrolled.x + NAMES_WIDTH + 40 && x <= scrolled.x + size.width - 60;
  const wantedX = isInSight ? scrolled.x : x - NAMES_WIDTH - (size.width - NAMES_WIDTH) / 2;
  let wantedY = scrolled.y;
  const row = rowOfUnit.get(unit);
  if (row && row.top < wantedY + RULER_HEIGHT) wantedY = row.top - RULER_HEIGHT - APPLICATION_ROW;
  if (row) wantedY = Math.max(wantedY, row.top + row.height - size.height + 14);
  if (wantedX !== scrolled.x || wantedY !== scrolled.y) scrollLanes(wantedX, wantedY);
}

/** The column under a point of the screen. */
function columnUnder(clientX) {
  const x = clientX - timeline.getBoundingClientRect().left + scrolled.x - NAMES_WIDTH - PAD;
  return Math.max(0, Math.min(runs.length - 1, Math.floor(x / columnWidth)));
}

/** The unit whose lane is under a point of the screen. */
function unitUnder(clientY) {
  const y = clientY - timeline.getBoundingClientRect().top + scrolled.y;
  const row = rows.find((known) => y >= known.top && y < known.top + known.height);
  return row && row.kind === "unit" ? row.name : null;
}
