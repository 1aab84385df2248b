// What is shown, as the URL fragment says it: `#case=refund-017&metric=queue&q=fence`. Every state has an address.

const FILTERS = ["metric", "variant", "group", "outcome", "why", "cause", "tag", "review", "q"];
const KEYS = ["case", ...FILTERS, "sides", "repeat", "mode"];
const state = Object.fromEntries(KEYS.map((key) => [key, ""]));
let lastMove = "";

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const key of KEYS) state[key] = given.get(key) ?? "";
  state.sides ||= sidesOfPair(given.get("left") ?? "", given.get("right") ?? "");
}

function address(changes = {}) {
  const wanted = { ...state, ...changes };
  const parts = KEYS.filter((key) => wanted[key] !== "").map((key) => `${key}=${encodeURIComponent(wanted[key].toWellFormed?.() ?? wanted[key])}`);
  return `#${parts.join("&") || "all"}`;
}

// `kind` is what caused the change: a run of the same small steps (j j j, typing) is one entry of the history.
function change(changes, kind) {
  Object.assign(state, changes);
  const small = kind === "step" || kind === "type";
  if (small && kind === lastMove) history.replaceState(null, "", address());
  else if (address() !== location.hash) history.pushState(null, "", address());
  lastMove = kind;
}

const metricNumber = () => index.metrics.findIndex((metric) => metric.name === state.metric);
const variantNumber = (name) => index.variants.findIndex((variant) => variant.name === name);

// The lenses that the filters leave. Without a metric chosen, only what the gate compares.
function activeLenses() {
  const metric = metricNumber(), variant = variantNumber(state.variant);
  const anyCompared = lenses.some((lens) => lens.compared);
  return lenses.map((lens, number) => ({ ...lens, number })).filter((lens) =>
    (metric >= 0 ? lens.metric === metric : lens.compared || !anyCompared) && (variant < 0 || lens.candidate === variant));
}

function groupThrough(entry, active) {
  let best = null;
  for (const lens of active) {
    const group = groupOfCode.get(entry.states[lens.number]);
    if (group && (best === null || group.rank < best.rank)) best = group;
  }
  if (best || state.metric) return best;
  const failed = entry.odd.some(([, outcome]) => outcome === "api_error" || outcome === "missing");
  return failed && /^-*$/.test(entry.states) ? groups.find((group) => group.name === "error") : unchanged;
}

// A test of a text: /…/ (with flags) is a regular expression, anything else is looked for as it is, in either case.
function matcher(query) {
  const pattern = /^\/(.+)\/([imsu]*)$/s.exec(query);
  if (pattern) {
    try {
      const expression = new RegExp(pattern[1], pattern[2]);
      return (text) => expression.test(text);
    } catch { return null; }
  }
  const wanted = query.toLowerCase();
  return (text) => text.toLowerCase().includes(wanted);
}

// Whether a cause, by its number, is what the filter names; `format` names every form that made a case worse.
const isCause = (number, wanted) => wanted === "format" ? causes[number].form : causes[number].code === wanted;

// The cases that pass the filters (that of the group apart), in groups: `[{group, entries}]`, in the order of the groups.
function filteredGroups() {
  const active = activeLenses(), metric = metricNumber(), variant = variantNumber(state.variant);
  const matches = state.q ? matcher(state.q) : null;
  const sides = new Set(active.flatMap((lens) => [lens.baseline, lens.candidate]));
  const through = new Set(active.map((lens) => lens.number));
  const among = (number) => variant < 0 || sides.has(number);
  const result = groups.map((group) => ({ group, entries: [] }));
  for (const entry of cases) {
    const group = groupThrough(entry, active);
    if (!group) continue;
    if (state.tag && !entry.tags.includes(state.tag)) continue;
    if (state.outcome && !entry.odd.some(([v, outcome]) => outcome === state.outcome && among(v))) continue;
    if (state.why && !entry.why.some(([v, m, reason]) => reason === state.why && among(v) && (metric < 0 || m === metric))) continue;
    if (state.cause && !entry.causes.some(([lens, cause]) => through.has(lens) && isCause(cause, state.cause))) continue;
    if (state.review && !passesReview(entry, state.review)) continue;
    if (state.q && (!matches || !matches(details[entry.place] ? haystack(entry.place) : entry.id))) continue;
    result[group.rank].entries.push(entry);
  }
  return result;
}
