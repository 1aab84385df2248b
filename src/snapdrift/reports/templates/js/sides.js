// Which columns stand side by side: variants, or what was expected, each with its repeat. The fragment says it:
// `sides=august,november` and `repeat=0,2` (one number is for all). An empty name is the one that the case suggests.

const EXPECTED = "=expected";
const MOST_COLUMNS = 8;

const nameOfSide = (side) => side === EXPECTED ? EXPECTED : encodeURIComponent(index.variants[side].name.toWellFormed?.() ?? index.variants[side].name);
const titleOf = (column) => column.side === EXPECTED ? "what was expected" : index.variants[column.side].name;

// Links of before name a left and a right variant.
function sidesOfPair(left, right) {
  const named = (name) => encodeURIComponent(name.toWellFormed?.() ?? name);
  return left || right ? `${named(left)},${named(right)}` : "";
}

// The number of the variant that a name of the fragment means; -1 for none.
function sideOf(name) {
  if (name === EXPECTED) return EXPECTED;
  try { return variantNumber(decodeURIComponent(name)); } catch { return -1; }
}

// Two variants between which the case changed, or that its first lens compares; the second is -1 where there is but one.
function suggestedSides(entry, first) {
  const active = activeLenses();
  const lens = changesOf(entry)[0]?.lens ?? active.find((each) => /[^u-]/.test(entry.states[each.number])) ?? active[0];
  const baseline = first !== -1 ? first : (lens?.baseline ?? -1) >= 0 ? lens.baseline : 0;
  const other = lens && lens.candidate !== baseline ? lens.candidate : index.variants.length > 1 ? Number(baseline === 0) : -1;
  return [baseline, other];
}

// The columns of a case: `[{side, repeat}]`. The first is the reference that the others are compared with.
function columnsOf(entry) {
  const chosen = (state.sides ? state.sides.split(",") : []).slice(0, MOST_COLUMNS).map(sideOf);
  const suggested = suggestedSides(entry, chosen[0] ?? -1);
  const sides = Array.from({ length: Math.max(chosen.length, 2) }, (_, at) => (chosen[at] ?? -1) === -1 ? suggested[at] ?? -1 : chosen[at]);
  const repeats = state.repeat.split(",").map((each) => Math.min(Math.max(Math.trunc(Number(each)) || 0, 0), index.repeats - 1));
  return sides.map((side, at) => ({ side, repeat: repeats[at] ?? repeats[repeats.length - 1] })).filter(({ side }) => side !== -1);
}

function showColumns(columns) {
  const repeats = columns.map((column) => column.repeat);
  const alike = repeats.every((each) => each === repeats[0]);
  const before = columnsOf(currentEntry()), sidesStay = before.length === columns.length && before.every(({ side }, at) => side === columns[at].side);
  change({
    sides: sidesStay ? state.sides : columns.map(({ side }) => nameOfSide(side)).join(","),
    repeat: alike ? repeats[0] ? String(repeats[0]) : "" : repeats.join(","),
  }, "click");
  drawCase();
}

// What of the columns goes along to another case: two are those that each case suggests, three or more were chosen to stay.
function leavingCase() {
  return { sides: state.sides.split(",").length > 2 ? state.sides : "", repeat: "" };
}

function nextVariant() {
  const entry = currentEntry();
  if (!entry || index.variants.length < 2) return;
  const columns = columnsOf(entry), many = index.variants.length;
  const last = columns[columns.length - 1], others = columns.slice(0, -1).map(({ side }) => side);
  const from = last.side === EXPECTED ? -1 : last.side;
  const next = Array.from({ length: many }, (_, at) => (from + 1 + at) % many).find((side) => !others.includes(side)) ?? (from + 1) % many;
  showColumns([...columns.slice(0, -1), { ...last, side: next }]);
}

function stepRepeat(by) {
  const entry = currentEntry();
  if (!entry || index.repeats < 2) return;
  const columns = columnsOf(entry), repeat = (columns[0].repeat + by + index.repeats) % index.repeats;
  showColumns(columns.map((column) => ({ ...column, repeat })));
}

// ------------------------------------------------------------------------------------------------------- their controls

const withColumn = (columns, at, changes) => columns.map((column, place) => place === at ? { ...column, ...changes } : column);

function sideChoice(columns, at) {
  const names = index.variants.map((variant, side) => make("option", { value: String(side), selected: side === columns[at].side }, variant.name));
  return make("select", {
    "aria-label": columns.length > 2 ? `Column ${at + 1}` : at ? "Column on the right" : "Column on the left", "data-at": `side-${at}`,
    on: { change: ({ target }) => showColumns(withColumn(columns, at, { side: target.value === EXPECTED ? EXPECTED : Number(target.value) })) },
  }, names, make("option", { value: EXPECTED, selected: columns[at].side === EXPECTED }, "what was expected"));
}

// The repeat of one column, for comparing different ones.
function repeatChoice(columns, at) {
  if (index.repeats < 2 || columns[at].side === EXPECTED) return null;
  return make("select", {
    class: "which", "aria-label": `Repeat of ${titleOf(columns[at])}`, "data-at": `repeat-${at}`,
    on: { change: ({ target }) => showColumns(withColumn(columns, at, { repeat: Number(target.value) })) },
  }, Array.from({ length: index.repeats }, (_, repeat) => make("option", { value: repeat, selected: repeat === columns[at].repeat }, `repeat ${repeat + 1}`)));
}

function removeButton(columns, at) {
  if (columns.length < 3) return null;
  return make("button", {
    type: "button", class: "plain remove", "aria-label": `Remove ${titleOf(columns[at])}`, title: "remove this column",
    on: { click: () => showColumns(columns.filter((_, place) => place !== at)) },
  }, "×");
}

// What can be put beside the columns that are there: variants that are not, any with repeats, and what was expected.
function addChoice(columns, detail) {
  const there = new Set(columns.map(({ side }) => side));
  const free = index.variants.map((variant, side) => [side, variant.name]).filter(([side]) => index.repeats > 1 || !there.has(side));
  if (detail.expected !== null && !there.has(EXPECTED)) free.push([EXPECTED, "what was expected"]);
  if (!free.length || columns.length >= MOST_COLUMNS) return null;
  return make("select", {
    class: "add", "aria-label": "Add a column", "data-at": "add",
    on: { change: ({ target }) => {
      const side = target.value === EXPECTED ? EXPECTED : Number(target.value);
      showColumns([...columns, { side, repeat: columns[0].repeat }]);
    } },
  }, make("option", { value: "" }, "+ add a column"), free.map(([side, name]) => make("option", { value: side }, name)));
}

// The repeat of all columns at once.
function repeatButtons(columns) {
  if (index.repeats < 2) return null;
  return make("span", { class: "repeats", role: "group", "aria-label": "repeat of all columns" }, "repeat ", Array.from({ length: index.repeats }, (_, repeat) =>
    make("button", {
      type: "button", class: "plain", "data-at": `all-${repeat}`, "aria-pressed": String(columns.every((column) => column.repeat === repeat)),
      title: "previous [, next ]", on: { click: () => showColumns(columns.map((column) => ({ ...column, repeat }))) },
    }, repeat + 1)));
}
