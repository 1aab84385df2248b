// Joins the parts: filters, keys and theme.

const THEMES = ["system", "light", "dark"];

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
  "/": () => { filterElements.q.focus(); filterElements.q.select(); }, "?": () => document.getElementById("keys").showModal(),
};

// Enter goes from the search to the list and from there into the case, Escape from the case or the search back to the list.
function onMove(event, inField) {
  const inCase = caseElement.contains(event.target);
  if (event.key === "Escape" && (inField || inCase)) { event.target.blur(); focusList(); return true; }
  if (event.key === "Enter" && event.target === filterElements.q) { enterList(); return true; }
  const row = event.target.closest?.("a.row"), inList = row || event.target === list || event.target === document.body;
  if (event.key !== "Enter" || !inList) return false;
  const entry = row ? shownRows[Number(row.dataset.row)].entry : currentEntry();
  if (!entry) return false;
  if (elsewhere) location.href = caseAddress(entry);
  else { if (row) select(entry, "click"); caseElement.focus(); }
  return true;
}

// From the search to what it found.
function enterList() {
  searchTyped();
  const first = shownRows.find((row) => row.entry);
  if (first && rowOf(state.case) < 0) select(first.entry, "click");
  focusList();
}

function focusList() {
  bringIntoSight(rowOf(state.case));
  drawRows();
  (rowsElement.querySelector("a.row[aria-current]") ?? list).focus({ preventScroll: true });
}

// The arrows go from row to row of the list, headings among them.
function onArrow(event) {
  const row = event.target.closest?.("[data-row]"), by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by || !(row || event.target === list)) return false;
  const place = row ? Number(row.dataset.row) + by : Math.max(rowOf(state.case), 0);
  if (!shownRows[place]) return true;
  bringIntoSight(place);
  drawRows();
  rowsElement.querySelector(`[data-row="${place}"]`)?.focus({ preventScroll: true });
  return true;
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const inField = event.target instanceof Element && event.target.closest("input, select, textarea");
  if (onMove(event, inField) || (!inField && onArrow(event))) { event.preventDefault(); return; }
  if (inField || !Object.hasOwn(KEY_ACTIONS, event.key)) return;
  event.preventDefault();
  KEY_ACTIONS[event.key]();
}

function listen() {
  listenToFilters();
  for (const link of document.querySelectorAll("a.opens")) link.addEventListener("click", () => document.getElementById("cases").scrollIntoView());
  document.getElementById("theme").addEventListener("click", nextTheme);
  document.getElementById("help").addEventListener("click", KEY_ACTIONS["?"]);
  document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); list.focus(); });
  document.addEventListener("keydown", onKey);
  list.addEventListener("scroll", drawRows, { passive: true });
  window.addEventListener("resize", drawRows);
}

function start() {
  showTheme(storedTheme());
  fillFilters();
  startReview();
  caseElement.tabIndex = -1;
  listen();
  followAddress();
  document.documentElement.dataset.ready = "true";
}
