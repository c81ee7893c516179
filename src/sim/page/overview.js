// The whole run on one strip: how much happened, what went wrong, and which part of it is in sight.

const overview = byId("overview");

/** Draws the bars; each stands for as many runs as it takes to have all of them on the strip. */
function drawBars() {
  const width = size.strip;
  const bars = Math.max(1, Math.min(runs.length, Math.floor(width / 4)));
  const values = barValues(bars);
  const most = Math.log1p(Math.max(1, ...values.map((bar) => bar.commands)));
  overview.replaceChildren(
    ...values.map((bar) => {
      const height = 3 + (25 * Math.log1p(bar.commands)) / most;
      const box = el(`div.bar.${bar.worst}${bar.isFaint ? ".faint" : ""}`);
      return positioned(box, { x: bar.x * width, width: Math.max(bar.width * width - 1, 1), height });
    }),
    ...operatorTicks(width),
    el("div", { id: "window" }),
    el("div", { id: "needle" }),
  );
  drawWindow();
}

/** From the mildest to the one that must be seen. */
const SEVERITY = ["skipped", "committed", "unfinished", "killed", "failed"];

function barValues(bars) {
  return Array.from({ length: bars }, (_, at) => {
    const [from, to] = [Math.floor((at * runs.length) / bars), Math.floor(((at + 1) * runs.length) / bars)];
    const part = runs.slice(from, to);
    const worst = Math.max(0, ...part.map((one) => SEVERITY.indexOf(one.outcome)));
    return {
      x: from / Math.max(runs.length, 1),
      width: (to - from) / Math.max(runs.length, 1),
      commands: part.reduce((sum, one) => sum + one.commands, 0) / Math.max(part.length, 1),
      worst: SEVERITY[worst],
      isFaint: foundSet !== null && !part.some((one) => foundSet.has(one.column)),
    };
  });
}

/** Where an operator did something. */
function operatorTicks(width) {
  const pixels = new Set();
  for (const mark of marks) {
    if (mark.kind === "operator") pixels.add(Math.round((place(mark.at) / Math.max(runs.length, 1)) * (width - 2)));
  }
  return [...pixels].map((x) => positioned(el("div.deed"), { x }));
}

function drawWindow() {
  const width = size.strip;
  const shown = size.width - NAMES_WIDTH - PAD;
  const all = Math.max(runs.length * columnWidth, 1);
  const from = Math.min(1, Math.max(0, scrolled.x - PAD) / all);
  const part = { x: from * width, width: Math.max(6, Math.min(1 - from, shown / all) * width) };
  positioned(byId("window"), part);
  positioned(byId("needle"), { x: (placeOf(view.position) / Math.max(runs.length, 1)) * width });
}

/** The column under a point of the strip. */
function columnOnStrip(clientX) {
  const box = overview.getBoundingClientRect();
  const part = (clientX - box.left) / box.width;
  return Math.max(0, Math.min(runs.length - 1, Math.floor(part * runs.length)));
}
