// The orders of the list other than the usual one: flat, with the number that it goes by in each row.

const micro = (usd) => `$${(usd / 1e6).toFixed(6)}`;
const comparesScores = lenses.some(({ metric, baseline }) => metric >= 0 && (baseline >= 0 || index.metrics[metric].pairwise));
// An order by what was nowhere measured says nothing: it is not offered.
const SORTS = Object.fromEntries(Object.entries({
  id: { word: "by id" },
  difference: { word: "largest difference", of: differenceOf, shown: (value) => (value / 1e4).toFixed(3) },
  latency: { word: "slowest", of: largestOf("latency"), shown: (value) => seconds(value) },
  usd: { word: "most expensive", of: largestOf("usd"), shown: micro },
  length: { word: "longest answer", of: largestOf("length"), shown: (value) => `${number(value)} chars` },
}).filter(([key]) => key === "id" || (key === "difference" ? comparesScores : index.known.includes(key))));
let loadedColumns = null;

// The order asked for, null for the usual one; one that no report knows is the usual one.
const sortOf = () => Object.hasOwn(SORTS, state.sort) ? SORTS[state.sort] : null;
const isSortLoading = () => Boolean(sortOf()?.of) && !loadedColumns;

async function followSort() {
  if (!isSortLoading()) return;
  loadedColumns = await loadColumns();
  sortLoaded();
}

// The largest number of a case among the variants that the filters leave, as a function of its place.
function largestOf(key) {
  return (active) => {
    const sides = active.length ? new Set(active.flatMap((lens) => [lens.baseline, lens.candidate])) : index.variants.keys();
    const chosen = [...sides].filter((side) => side >= 0).map((side) => loadedColumns[key][side]);
    return (place) => chosen.reduce((largest, column) => largestKnown(largest, column[place]), null);
  };
}

// The largest difference of mean scores through the lenses that the filters leave. A preference differs from a tie.
function differenceOf(active) {
  const columnOf = (variant, metric) => loadedColumns.values[variant * index.metrics.length + metric];
  const pairs = active.filter(({ metric, candidate, baseline }) => metric >= 0 && candidate >= 0 && (index.metrics[metric].pairwise || baseline >= 0))
    .map(({ metric, candidate, baseline }) => ({ on: columnOf(candidate, metric), of: index.metrics[metric].pairwise ? null : columnOf(baseline, metric) }));
  return (place) => pairs.reduce((largest, { on, of }) => {
    const value = on[place], against = of ? of[place] : 5000;
    return value === null || against === null ? largest : largestKnown(largest, Math.abs(value - against));
  }, null);
}

const largestKnown = (one, other) => one === null || (other !== null && other > one) ? other : one;

// Entries in the order asked for, as `[{entry, value}]`: the largest first, those without a number last, ids as people count.
function sorted(entries) {
  const sort = sortOf();
  if (!sort.of) {
    const order = new Intl.Collator("en", { numeric: true }).compare;
    return entries.map((entry) => ({ entry, value: null })).sort((a, b) => order(a.entry.id, b.entry.id));
  }
  const valueOf = sort.of(activeLenses());
  return entries.map((entry) => ({ entry, value: valueOf(entry.place) }))
    .sort((a, b) => (b.value ?? -1) - (a.value ?? -1) || a.entry.place - b.entry.place);
}
