// What is shown, as the URL fragment says it: `#case=refund-017&metric=queue&q=fence`. Every state has an address.

const FILTERS = ["metric", "variant", "group", "outcome", "why", "cause", "tag", "differs", "review", "q"];
const KEYS = ["case", ...FILTERS, "sort", "sides", "repeat", "mode", "at"];
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

// Whether a cause, by its number, is what the filter names; `format` names every form that made a case worse.
const isCause = (number, wanted) => wanted === "format" ? causes[number].form : causes[number].code === wanted;

// Whether the answers of two variants to a case differ; without a first one, whether any two variants' do.
function differs(entry, baseline, candidate) {
  if (!entry.alike) return false;
  const answered = [...(baseline < 0 ? entry.alike : [entry.alike[baseline], entry.alike[candidate]])].filter((each) => each !== "-");
  return new Set(answered).size > 1;
}

// What each filter asks of a case: `PREDICATES[filter](wanted, look)` gives the test. `look` is how the list is looked
// at: the active lenses, the metric's number or -1, and which variants are among those looked at. The metric and the
// variant choose the lenses, the group what is shown of the result: these three have no test of their own.
const PREDICATES = {
  outcome: (wanted, { among }) => (entry) => entry.odd.some(([variant, outcome]) => outcome === wanted && among(variant)),
  why: (wanted, { among, metric }) => (entry) => entry.why.some(([v, m, reason]) => reason === wanted && among(v) && (metric < 0 || m === metric)),
  cause: (wanted, { through }) => (entry) => entry.causes.some(([lens, cause]) => through.has(lens) && isCause(cause, wanted)),
  tag: (wanted) => (entry) => entry.tags.includes(wanted),
  differs: (_, { active }) => active.length ? (entry) => active.some((lens) => differs(entry, lens.baseline, lens.candidate)) : (entry) => differs(entry, -1, -1),
  review: (wanted) => (entry) => passesReview(entry, wanted),
  q: () => isHit,
};

function lookOf(active) {
  const variant = variantNumber(state.variant), sides = new Set(active.flatMap((lens) => [lens.baseline, lens.candidate]));
  return { active, metric: metricNumber(), through: new Set(active.map((lens) => lens.number)), among: (each) => variant < 0 || sides.has(each) };
}

// The cases that pass the filters (that of the group apart), in groups: `[{group, entries}]`, in the order of the groups.
function filteredGroups() {
  const active = activeLenses(), look = lookOf(active);
  const tests = FILTERS.filter((key) => state[key] && Object.hasOwn(PREDICATES, key)).map((key) => PREDICATES[key](state[key], look));
  const result = groups.map((group) => ({ group, entries: [] }));
  for (const entry of cases) {
    const group = groupThrough(entry, active);
    if (group && tests.every((test) => test(entry))) result[group.rank].entries.push(entry);
  }
  return result;
}
