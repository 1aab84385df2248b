// Which suites and decisions are shown, as the address says it: `#suite=sentiment&decision=regression`.

const FIELDS = ["suite", "decision"];
const fieldOf = Object.fromEntries(FIELDS.map((name) => [name, document.getElementById(name)]));

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const [name, field] of Object.entries(fieldOf)) {
    const wanted = given.get(name) ?? "";
    field.value = [...field.options].some((option) => option.value === wanted) ? wanted : "";
  }
}

function address() {
  const parts = FIELDS.filter((name) => fieldOf[name].value).map((name) => `${name}=${encodeURIComponent(fieldOf[name].value.toWellFormed?.() ?? fieldOf[name].value)}`);
  return `#${parts.join("&") || "all"}`;
}

function show() {
  const suite = fieldOf.suite.value, decision = fieldOf.decision.value;
  let shown = 0;
  for (const section of document.querySelectorAll(".of-suite")) {
    const isOther = suite !== "" && section.dataset.suite !== suite;
    let left = 0;
    for (const row of section.querySelectorAll("tr[data-decision]")) {
      row.hidden = decision !== "" && row.dataset.decision !== decision;
      if (!row.hidden) left += 1;
    }
    section.hidden = isOther || left === 0;
    if (!section.hidden) shown += left;
  }
  document.getElementById("shown").textContent = suite || decision ? shown ? `${shown.toLocaleString("en-US")} shown` : "no run was decided so" : "";
}

function followAddress() { readAddress(); show(); }

// The theme that was chosen in a report, where the browser lets pages from disk share it.
function showTheme() {
  try {
    const theme = localStorage.getItem("snapdrift-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch { /* a browser may refuse to store for files */ }
}

function start() {
  showTheme();
  document.getElementById("filters").hidden = false;
  document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
  for (const field of Object.values(fieldOf)) {
    field.addEventListener("change", () => { history.pushState(null, "", address()); show(); });
  }
  window.addEventListener("popstate", followAddress);
  followAddress();
  document.documentElement.dataset.ready = "true";
}
