// Joins the parts: filters, keys, theme, and the address.

const fields = FILTERS.filter((key) => key !== "group");
const filterElements = Object.fromEntries(fields.map((key) => [key, document.getElementById(key)]));
const THEMES = ["system", "light", "dark"];
let typing = 0;

function options(select, none, names, words = names) {
  select.replaceChildren(make("option", { value: "" }, none), ...names.map((name, place) => make("option", { value: name }, words[place])));
  select.hidden = names.length === 0;
}

function fillFilters() {
  const candidates = [...new Set(lenses.map((lens) => lens.candidate))].map((each) => index.variants[each].name);
  const measured = [...new Set(lenses.map((lens) => lens.metric))].map((each) => index.metrics[each].name);
  options(filterElements.metric, "every metric", measured);
  options(filterElements.variant, "every candidate", candidates);
  const outcomes = [...new Set(cases.flatMap((entry) => entry.odd.map(([, outcome]) => outcome)))].sort();
  const reasons = [...new Set(cases.flatMap((entry) => entry.why.map(([, , reason]) => reason)))].sort();
  options(filterElements.outcome, "every outcome", outcomes, outcomes.map(word));
  options(filterElements.why, "every reason", reasons, reasons.map(word));
  const forms = causes.some((cause) => cause.form) ? ["format"] : [];
  options(filterElements.cause, "format or content", [...forms, ...causes.map((cause) => cause.code)], [...forms.map(() => "any format"), ...causes.map((cause) => cause.word)]);
  options(filterElements.tag, "every tag", index.tags);
  options(filterElements.review, "reviewed or not", ["unmarked", "marked", "disagree", "accepted"], ["not marked", "marked", "marked otherwise than graded", "accepted"]);
}

function showFilters() {
  for (const key of fields) if (filterElements[key].value !== state[key]) filterElements[key].value = state[key];
}

// After any change of the filters: the list at once; where answers are searched, again when all of them are here.
async function applyFilters() {
  refreshList();
  drawCase();
  if (state.q && details.includes(null)) {
    const query = state.q;
    document.getElementById("shown").textContent = "searching …";
    await loadEverything();
    if (state.q === query) { refreshList(); drawCase(); }
  }
}

// Shows what the address says; without a case in it, the first of the list.
function followAddress() {
  readAddress();
  lastMove = "";
  showFilters();
  if (!state.case) {
    refreshList();
    const first = shownRows.find((row) => row.entry);
    if (first) { state.case = first.entry.id; history.replaceState(null, "", address()); }
  }
  const entry = currentEntry(), active = activeLenses();
  if (entry) folded.delete((groupThrough(entry, active) ?? unchanged).name);
  applyFilters();
  bringIntoSight(rowOf(state.case));
}

function showTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  document.getElementById("theme").textContent = `theme: ${theme}`;
}

function storedTheme() {
  try { return THEMES.includes(localStorage.getItem("snapdrift-theme")) ? localStorage.getItem("snapdrift-theme") : "system"; } catch { return "system"; }
}

function nextTheme() {
  const theme = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme ?? "system") + 1) % THEMES.length];
  try { localStorage.setItem("snapdrift-theme", theme); } catch { /* a browser may refuse to store for files */ }
  showTheme(theme);
}

const KEY_ACTIONS = {
  j: () => step(1), k: () => step(-1), d: nextMode, v: nextVariant, "[": () => stepRepeat(-1), "]": () => stepRepeat(1),
  p: () => { const prompt = caseElement.querySelector("details.prompt"); if (prompt) prompt.open = !prompt.open; },
  ...REVIEW_KEYS,
  "/": () => filterElements.q.focus(), "?": () => document.getElementById("keys").showModal(),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const inField = event.target instanceof Element && event.target.closest("input, select, textarea");
  if (event.key === "Escape" && inField) { event.target.blur(); return; }
  if (inField || !Object.hasOwn(KEY_ACTIONS, event.key)) return;
  event.preventDefault();
  KEY_ACTIONS[event.key]();
}

function listen() {
  for (const key of fields.filter((each) => each !== "q")) {
    filterElements[key].addEventListener("change", () => { change({ [key]: filterElements[key].value }, "filter"); applyFilters(); });
  }
  filterElements.q.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => { change({ q: filterElements.q.value }, "type"); applyFilters(); }, 120);
  });
  document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("clear").addEventListener("click", () => {
    change(Object.fromEntries(FILTERS.map((key) => [key, ""])), "filter");
    showFilters();
    applyFilters();
  });
  for (const link of document.querySelectorAll("a.opens")) link.addEventListener("click", () => document.getElementById("cases").scrollIntoView());
  document.getElementById("theme").addEventListener("click", nextTheme);
  document.getElementById("help").addEventListener("click", KEY_ACTIONS["?"]);
  document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); list.focus(); });
  document.addEventListener("keydown", onKey);
  list.addEventListener("scroll", drawRows, { passive: true });
  window.addEventListener("resize", drawRows);
  window.addEventListener("popstate", followAddress);
}

function start() {
  showTheme(storedTheme());
  fillFilters();
  startReview();
  listen();
  followAddress();
  document.documentElement.dataset.ready = "true";
}
