// The filters' fields, and what follows when one of them, or the address, changes.

const fields = [...FILTERS.filter((key) => key !== "group"), "sort"];
const filterElements = Object.fromEntries(fields.map((key) => [key, document.getElementById(key)]).filter(([, element]) => element));
const MANY = 200;

// A field with many values to choose from is typed into: the browser offers those that begin like what is typed.
function typedField(field, none, names) {
  const key = field.id, offered = `${key}-names`;
  const typed = make("input", { type: "search", id: key, list: offered, placeholder: `${none} (${number(names.length)})`, "aria-label": field.getAttribute("aria-label"), autocomplete: "off", spellcheck: "false" });
  field.replaceWith(typed, make("datalist", { id: offered }, names.map((name) => make("option", { value: name }))));
  filterElements[key] = typed;
}

// Fills a field with its values, the most frequent first where counts are given: each with its number of cases.
function options(field, none, names, words = names, counts = null) {
  if (names.length > MANY) { typedField(field, none, names); return; }
  field.replaceChildren(make("option", { value: "" }, none), ...names.map((name, place) =>
    make("option", { value: name }, words[place] + (counts ? ` (${number(counts.get(name) ?? 0)})` : ""))));
  field.hidden = names.length === 0;
}

// How many cases have each value, the most frequent first.
function counted(valuesOf) {
  const counts = new Map();
  for (const entry of cases) for (const value of new Set(valuesOf(entry))) counts.set(value, (counts.get(value) ?? 0) + 1);
  return new Map([...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)));
}

function countedOptions(field, none, valuesOf, wordOf = (name) => name) {
  const counts = counted(valuesOf), names = [...counts.keys()];
  options(field, none, names, names.map(wordOf), counts);
}

function fillFilters() {
  options(filterElements.metric, "every metric", [...new Set(lenses.map((lens) => lens.metric))].map((each) => index.metrics[each].name));
  options(filterElements.variant, "every candidate", [...new Set(lenses.map((lens) => lens.candidate))].map((each) => index.variants[each].name));
  countedOptions(filterElements.outcome, "every outcome", (entry) => entry.odd.map(([, outcome]) => outcome), word);
  countedOptions(filterElements.why, "every reason", (entry) => entry.why.map(([, , reason]) => reason), word);
  const forms = causes.some((cause) => cause.form) ? ["format"] : [];
  options(filterElements.cause, "format or content", [...forms, ...causes.map((cause) => cause.code)], [...forms.map(() => "any format"), ...causes.map((cause) => cause.word)]);
  countedOptions(filterElements.tag, "every tag", (entry) => entry.tags);
  options(filterElements.review, "reviewed or not", ["unmarked", "marked", "disagree", "accepted"], ["not marked", "marked", "marked otherwise than graded", "accepted"]);
  options(filterElements.sort, "changed cases first", Object.keys(SORTS), Object.values(SORTS).map((sort) => sort.word));
  filterElements.differs.closest("label").hidden = index.variants.length < 2;
}

function showFilters() {
  for (const [key, element] of Object.entries(filterElements)) {
    if (element.type === "checkbox") element.checked = state[key] !== "";
    else if (element.value !== state[key]) element.value = state[key];
  }
}

// After any change of the filters or the order: the list at once, and again when what they need has been read.
function applyFilters() {
  followSearch();
  followSort();
  refreshList();
  drawCase();
}

function searchWentOn() {
  refreshList();
  if (!search.running && !currentEntry()) showFirst();
  else if (!search.running) drawCase();
}

function sortLoaded() {
  refreshList();
  bringIntoSight(rowOf(state.case));
  drawCase();
}

function clearFilters() {
  foldedByHand.clear();
  change(Object.fromEntries(FILTERS.map((key) => [key, ""])), "filter");
  showFilters();
  applyFilters();
  bringIntoSight(rowOf(state.case));
  list.focus({ preventScroll: true });
}

// Where the address names no case: the first of the list, or the last for who comes from the page behind.
function showFirst() {
  const rows = shownRows.filter((row) => row.entry), row = state.at === "last" ? rows.at(-1) : rows[0];
  if (!state.case && row) { state.case = row.entry.id; state.at = ""; history.replaceState(null, "", address()); }
  bringIntoSight(rowOf(state.case));
  drawRows();
  drawCase();
}

// Shows what the address says.
function followAddress() {
  readAddress();
  lastMove = "";
  showFilters();
  const entry = currentEntry();
  if (entry) foldedByHand.set((groupThrough(entry, activeLenses()) ?? unchanged).name, false);
  applyFilters();
  if (state.case) bringIntoSight(rowOf(state.case));
  else if (!search.running) showFirst();
}

// A field changes the state by its `change` event; typing in the search counts as soon as it pauses.
let typing = 0;
function searchTyped() {
  clearTimeout(typing);
  if (state.q === filterElements.q.value) return;
  change({ q: filterElements.q.value }, "type");
  applyFilters();
}

function listenToFilters() {
  for (const [key, element] of Object.entries(filterElements).filter(([each]) => each !== "q")) {
    element.addEventListener("change", () => {
      change({ [key]: element.type === "checkbox" ? (element.checked ? "1" : "") : element.value }, "filter");
      applyFilters();
    });
  }
  filterElements.q.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(searchTyped, 120);
  });
  document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("clear").addEventListener("click", clearFilters);
  window.addEventListener("popstate", followAddress);
  window.addEventListener("hashchange", () => { if (location.hash !== address()) followAddress(); });
}
