// Elements of the page.  Every text of the run becomes a text node; nothing here reads markup.

/** The element of this id. */
const byId = (id) => document.getElementById(id);

/** A value of the run as text: it may be anything, since charms write some of it. */
function textOf(value) {
  if (typeof value === "string") return value;
  return value === null || value === undefined ? "" : JSON.stringify(value);
}

/** A list of the run, or an empty one for whatever else stands there. */
const listOf = (value) => (Array.isArray(value) ? value : []);

/** Characters that would move or hide the text around them. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** A text in which every character can be seen: `‹U+202E›` for one that turns the direction of writing. */
const visible = (text) => text.replace(UNSEEN, (letter) => `‹U+${letter.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}›`);

/**
 * An element: `el("b.name", { title: "x" }, "text", child)`.
 * Properties that begin with `data-` or `aria-` are attributes; children that are nothing are left out.
 */
function el(kind, ...rest) {
  const [tag, ...classes] = kind.split(".");
  const element = document.createElement(tag);
  if (classes.length > 0) element.className = classes.join(" ");
  let children = rest;
  const [properties] = rest;
  if (properties && typeof properties === "object" && !(properties instanceof Node) && !Array.isArray(properties)) {
    children = rest.slice(1);
    for (const [name, value] of Object.entries(properties)) {
      if (name.includes("-")) element.setAttribute(name, value);
      else element[name] = name === "title" ? visible(value) : value;
    }
  }
  const shown = children.flat().filter((child) => child !== null && child !== undefined && child !== false);
  element.append(...shown.map((child) => (typeof child === "string" ? visible(child) : child)));
  return element;
}

/** Shapes of 16 by 16 that stand for what happened. */
const SHAPES = {
  operator: "M8 2.5 13.5 8 8 13.5 2.5 8Z",
  leader: "M8 1.8l1.9 4 4.3.5-3.2 3 .9 4.3L8 11.5l-3.9 2.1.9-4.3-3.2-3 4.3-.5Z",
  related: "M6.6 9.4a3 3 0 0 1 0-4.2l1.6-1.6a3 3 0 0 1 4.2 4.2l-.9.9M9.4 6.6a3 3 0 0 1 0 4.2l-1.6 1.6a3 3 0 0 1-4.2-4.2l.9-.9",
  unrelated: "M6 6 4 8a2.8 2.8 0 0 0 4 4l2-2M10 10l2-2a2.8 2.8 0 0 0-4-4L6 6M3 3l10 10",
  added: "M8 3v10M3 8h10",
  removed: "M3 8h10",
  time: "M8 2.2a5.8 5.8 0 1 1 0 11.6A5.8 5.8 0 0 1 8 2.2ZM8 4.8V8l2.4 1.6",
  other: "M8 6a2 2 0 1 1 0 4 2 2 0 0 1 0-4Z",
};
const FILLED = new Set(["operator", "leader", "other"]);

/** One of these shapes. */
function shape(name) {
  const svg = byId("shape").content.firstElementChild.cloneNode(true);
  svg.setAttribute("class", `shape ${name}${FILLED.has(name) ? " filled" : ""}`);
  svg.firstElementChild.setAttribute("d", SHAPES[name]);
  return svg;
}

/** A text in which names stand between backticks. */
const coded = (text) => text.split("`").map((part, at) => (at % 2 === 1 ? el("code", part) : part));

/** Seconds for people: `0 s`, `5 m 12 s`, `3 h 2 m`. */
function duration(seconds) {
  const whole = Math.floor(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (hours > 0) return `${hours} h ${minutes} m`;
  if (minutes > 0) return `${minutes} m ${rest} s`;
  return `${Number.isInteger(seconds) ? whole : seconds.toFixed(1)} s`;
}

/** `1 hook`, `2 hooks`. */
const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

/** The first line of a text, and not more of it than a line shows. */
function firstLine(text, most = 160) {
  const end = text.indexOf("\n");
  const line = end < 0 ? text : text.slice(0, end);
  return line.length > most ? `${line.slice(0, most)}…` : line === text.trimEnd() ? line : `${line} …`;
}

/** The place in a sorted list before which all is smaller than `value`. */
function lowerBound(list, value, key = (item) => item) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (key(list[middle]) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
