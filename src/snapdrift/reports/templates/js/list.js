// The list of cases: headings that fold and rows of one height, of which only those in sight exist.

const ROW = 30;
const folded = new Set(["unchanged", "not_needed"]);
const list = document.getElementById("list"), rowsElement = document.getElementById("rows");
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

const isFolded = (group) => folded.has(group.name) && !state.q && state.group !== group.name && !state.why && !state.cause && !state.outcome && !state.review;

function refreshList() {
  const everyGroup = filteredGroups();
  shownGroups = everyGroup.filter(({ group, entries }) => entries.length && (!state.group || state.group === group.name));
  shownRows = [];
  drawKinds(everyGroup);
  for (const { group, entries } of shownGroups) {
    shownRows.push({ group, count: entries.length });
    if (!isFolded(group)) entries.forEach((entry, number) => shownRows.push({ group, entry, number }));
  }
  rowsElement.style.height = `${Math.max(shownRows.length, 1) * ROW}px`;
  const total = shownGroups.reduce((sum, { entries }) => sum + entries.length, 0);
  const bad = state.q && !matcher(state.q) ? "not a regular expression" : "";
  document.getElementById("shown").textContent = bad || (total === cases.length ? total.toLocaleString("en-US") : `${total.toLocaleString("en-US")} of ${cases.length.toLocaleString("en-US")}`);
  document.getElementById("clear").hidden = !FILTERS.some((key) => state[key]);
  drawRows();
}

// How many cases each group has; a click shows that group alone.
function drawKinds(everyGroup) {
  const focused = document.activeElement?.dataset?.kind;
  const buttons = everyGroup.map(({ group, entries }) => make("button", {
    type: "button", class: `kind ${group.name}`, "data-kind": group.name, "aria-pressed": String(state.group === group.name),
    on: { click: () => { change({ group: state.group === group.name ? "" : group.name }, "filter"); applyFilters(); } },
  }, make("span", { class: "shape", "aria-hidden": "true" }, group.shape), make("span", { class: "count" }, entries.length.toLocaleString("en-US")), make("span", { class: "name" }, group.word)));
  const kinds = document.getElementById("kinds");
  kinds.replaceChildren(...buttons);
  if (focused) kinds.querySelector(`[data-kind="${focused}"]`)?.focus({ preventScroll: true });
}

function drawRows() {
  const first = Math.max(Math.floor(list.scrollTop / ROW) - 8, 0);
  const last = Math.min(Math.ceil((list.scrollTop + list.clientHeight) / ROW) + 8, shownRows.length);
  const focused = document.activeElement?.dataset?.row;
  const elements = [];
  for (let place = first; place < last; place += 1) {
    const row = shownRows[place];
    const element = row.entry ? caseRow(row) : groupRow(row);
    element.dataset.row = place;
    const item = make("div", { class: "item", role: "listitem", "aria-setsize": shownRows.length, "aria-posinset": place + 1 }, element);
    item.style.top = `${place * ROW}px`;
    elements.push(item);
  }
  if (!elements.length) elements.push(make("p", { class: "none" }, "No case passes these filters."));
  rowsElement.replaceChildren(...elements);
  if (focused !== undefined) rowsElement.querySelector(`[data-row="${Number(focused)}"]`)?.focus({ preventScroll: true });
}

function groupRow({ group, count }) {
  const open = !isFolded(group);
  return make("button", {
    type: "button", class: `group ${group.name}`, "aria-expanded": String(open),
    on: { click: () => { if (open) folded.add(group.name); else folded.delete(group.name); refreshList(); } },
  }, make("span", { class: "shape", "aria-hidden": "true" }, group.shape), make("span", { class: "name" }, group.word), make("span", { class: "count" }, count.toLocaleString("en-US")));
}

function caseRow({ entry }) {
  const selected = entry.id === state.case;
  const moved = changesOf(entry).map(({ lens }) => index.metrics[lens.metric]?.name ?? "");
  return make("a", {
    class: "row", href: address({ case: entry.id, ...leavingCase() }), "aria-current": selected ? "true" : null,
    on: { click: (event) => { if (!event.metaKey && !event.ctrlKey && !event.shiftKey) { event.preventDefault(); select(entry, "click"); } } },
  }, make("span", { class: "name" }, shown(entry.id)), reviewSign(entry), make("span", { class: "moved" }, shown([...new Set(moved)].join(", "))));
}

// The lenses through which a case newly fails or passes, as the filters leave them.
function changesOf(entry) {
  return activeLenses().map((lens) => ({ lens, group: groupOfCode.get(entry.states[lens.number]) }))
    .filter(({ group, lens }) => group && group.rank < 2 && lens.baseline >= 0);
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
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.entry.id === state.case);
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1);
  if (rows[next].entry.id !== state.case) select(rows[next].entry, "step");
}
