// What is looked for: words, or words of one kind: `unit:web/0 flag:ready outcome:failed`.

const KINDS = ["unit", "hook", "about", "flag", "key", "handler", "command", "outcome"];
const searchTexts = [];
let query = [];
/** The outcomes that are left out. */
const hiddenOutcomes = new Set();
/** The columns that match, in order; null when nothing is looked for. */
let found = null;
let foundSet = null;

/** What can be found of a run, by kind, in small letters. */
function searchTextOf(one) {
  if (searchTexts[one.column]) return searchTexts[one.column];
  const words = { unit: [one.unit], hook: [one.hook], about: [one.about || ""], outcome: [one.outcome, one.kind], flag: [], key: [], handler: [], command: [] };
  for (let at = one.start; at <= one.end; at += 1) {
    const event = events[at];
    if (isFlags(event)) {
      const { set, cleared } = flagChange(event);
      words.flag.push(...set, ...cleared);
    } else if (event.event === "state-changed" || event.event === "databag-changed") {
      words.key.push(event.key);
    } else if (event.event === "command-run") {
      words.command.push(event.name);
    }
  }
  words.handler.push(...handlersOf(one.trace).filter((handler) => handler.ran.length > 0).map((handler) => handler.name));
  const text = Object.fromEntries(KINDS.map((kind) => [kind, words[kind].join("\n").toLowerCase()]));
  searchTexts[one.column] = text;
  return text;
}

/** The words of a query, each with the kind that it is looked for in, if it says one. */
function wordsOf(text) {
  return text.toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    const colon = word.indexOf(":");
    const kind = word.slice(0, Math.max(colon, 0));
    return KINDS.includes(kind) ? { kind, text: word.slice(colon + 1) } : { kind: null, text: word };
  });
}

function isFound(one) {
  if (hiddenOutcomes.has(one.outcome)) return false;
  const texts = searchTextOf(one);
  return query.every(({ kind, text }) => (kind ? texts[kind].includes(text) : KINDS.some((known) => texts[known].includes(text))));
}

/** Looks through all runs. */
function search(text) {
  query = wordsOf(text);
  const isAsked = query.length > 0 || hiddenOutcomes.size > 0;
  found = isAsked ? runs.filter(isFound).map((one) => one.column) : null;
  foundSet = found && new Set(found);
}

/** The match before or after a column, around the ends of the run. */
function matchFrom(column, step) {
  const list = found || [];
  if (list.length === 0) return null;
  const at = step > 0 ? lowerBound(list, column + 1) : lowerBound(list, column) - 1;
  return runs[list[(at + list.length) % list.length]];
}
