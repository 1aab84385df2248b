// The list of cases: headings that fold and rows of one height, of which only those in sight exist.

const ROW = 30;
const FOLDED = new Set(["unchanged", "not_needed"]);
const list = document.getElementById("list"), rowsElement = document.getElementById("rows");
const EVERY = { name: "every", rank: -1 };
const foldedByHand = new Map();
let onlyGroup = false;
let shownGroups = [];
let shownRows = [];

// An element with text and attributes. Text only ever enters the page through `textContent`.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else if (name === "class") element.className = value;
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== "") element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

// What is unchanged is folded away, unless there is nothing else or a filter asks for certain cases; what a reader folded
// or opened stays so.
const PLAIN_FILTERS = new Set(["metric", "variant", "tag", "group"]);
function isFolded(group) {
  if (foldedByHand.has(group.name)) return foldedByHand.get(group.name);
  return FOLDED.has(group.name) && !onlyGroup && state.group !== group.name && !FILTERS.some((key) => state[key] && !PLAIN_FILTERS.has(key));
}

const isSettled = () => !search.running && !isSortLoading();

function refreshList() {
  const everyGroup = filteredGroups();
  const chosen = everyGroup.filter(({ group, entries }) => entries.length && (!state.group || state.group === group.name));
  if (sortOf() && !isSortLoading()) flatRows(chosen); else groupedRows(chosen);
  drawKinds(everyGroup);
  rowsElement.style.height = `${Math.max(shownRows.length, 1) * ROW}px`;
  showCounts(chosen.reduce((sum, { entries }) => sum + entries.length, 0));
  drawTurning();
  drawRows();
  rowsElement.dataset.settled = String(isSettled());
}

function groupedRows(chosen) {
  shownGroups = chosen;
  onlyGroup = chosen.length === 1;
  shownRows = chosen.flatMap(({ group, entries }) => {
    const head = { group, count: entries.length };
    return isFolded(group) ? [head] : [head, ...entries.map((entry, place) => ({ group, entry, number: place }))];
  });
}

function flatRows(chosen) {
  const entries = chosen.flatMap((each) => each.entries);
  shownGroups = entries.length ? [{ group: EVERY, entries }] : [];
  shownRows = sorted(entries).map(({ entry, value }, place) => ({ group: EVERY, entry, number: place, value }));
}

function showCounts(total) {
  const all = number(cases.length);
  const counted = search.running ? `${number(total)} so far, searched ${number(search.seen)} of ${all}` : total === cases.length ? all : `${number(total)} of ${all}`;
  document.getElementById("shown").textContent = search.problem && search.seen === 0 ? "not searched" : counted;
  const note = document.getElementById("note");
  note.replaceChildren(...shown(searchNote()), ...(elsewhere && state.q && !search.running && !search.problem ? searchLinks() : []));
  note.classList.toggle("wrong", search.problem !== "");
  document.getElementById("q").setAttribute("aria-invalid", String(search.problem !== ""));
  document.getElementById("clear").hidden = !FILTERS.some((key) => state[key]);
}

// How many cases each group has; a click shows that group alone.
function drawKinds(everyGroup) {
  const focused = document.activeElement?.dataset?.kind;
  const buttons = everyGroup.map(({ group, entries }) => make("button", {
    type: "button", class: `kind ${group.name}`, "data-kind": group.name, "aria-pressed": String(state.group === group.name),
    on: { click: () => { change({ group: state.group === group.name ? "" : group.name }, "filter"); applyFilters(); } },
  }, make("span", { class: "shape", "aria-hidden": "true" }, group.shape), make("span", { class: "count" }, number(entries.length)), make("span", { class: "name" }, group.word)));
  const kinds = document.getElementById("kinds");
  kinds.replaceChildren(...buttons);
  if (focused) kinds.querySelector(`[data-kind="${focused}"]`)?.focus({ preventScroll: true });
}

function drawRows() {
  const first = Math.max(Math.floor(list.scrollTop / ROW) - 8, 0);
  const last = Math.min(Math.ceil((list.scrollTop + list.clientHeight) / ROW) + 8, shownRows.length);
  const focused = document.activeElement?.dataset?.row, active = activeLenses();
  const elements = [];
  for (let place = first; place < last; place += 1) {
    const row = shownRows[place];
    const element = row.entry ? caseRow(row, active) : groupRow(row);
    element.dataset.row = place;
    const item = make("div", { class: "item", role: "listitem", "aria-setsize": shownRows.length, "aria-posinset": place + 1 }, element);
    item.style.top = `${place * ROW}px`;
    elements.push(item);
  }
  if (!elements.length) elements.push(nothingToShow());
  rowsElement.replaceChildren(...elements);
  if (focused !== undefined) rowsElement.querySelector(`[data-row="${Number(focused)}"]`)?.focus({ preventScroll: true });
}

function nothingToShow() {
  if (search.running) return make("p", { class: "none" }, "Nothing found so far.");
  if (search.problem) return make("p", { class: "none" }, "Nothing found in what was looked through.");
  return make("p", { class: "none", role: "listitem" }, "No case passes these filters. ", make("button", { type: "button", class: "plain", id: "clear-here", on: { click: clearFilters } }, "Clear the filters"));
}

const rowOf = (id) => shownRows.findIndex((row) => row.entry?.id === id);

function bringIntoSight(place) {
  if (place < 0) return;
  const top = place * ROW, bottom = top + ROW;
  if (top < list.scrollTop + ROW) list.scrollTop = top - ROW;
  else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
}

function step(by) {
  const rows = shownRows.filter((row) => row.entry);
  const at = rows.findIndex((row) => row.entry.id === state.case);
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by;
  if (rows[next]) select(rows[next].entry, "step");
  else if (casesPage) turnPage(by > 0 ? casesPage.next : casesPage.previous, by > 0 ? "" : "last");
}
