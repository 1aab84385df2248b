// Reports that are split: the index lists all cases and has the details of none, each page of cases has its share. A
// page from disk cannot read another one, so going on is going there; the filters go along in the address.

const elsewhere = index.pages ? index.pages.map(([file, first, many]) => ({ file, first, many })) : null;
const casesPage = index.page ?? null;

// The address of another case: the filters, and columns that a reviewer put there by hand.
const filtersOnly = () => ({ case: "", at: "", ...leavingCase() });

// Where a case is read: here, or on its page.
function caseAddress(entry) {
  const here = address({ ...filtersOnly(), case: entry.id });
  return elsewhere ? elsewhere.findLast(({ first }) => first <= entry.place).file + here : here;
}

// Goes to a neighbour of this page, keeping the filters. Coming from behind, its last case is shown.
function turnPage(file, at = "") {
  if (file) location.href = file + address({ ...filtersOnly(), at });
  return Boolean(file);
}

// In place of a case that is on a page of its own.
function drawElsewhere(entry) {
  caseElement.replaceChildren(caseHead(entry), make("p", { class: "elsewhere" },
    make("a", { class: "go", href: caseAddress(entry) }, "Read this case"), make("span", { class: "muted" }, " on the page that has its answers (Enter).")));
}

// What is said where the address names a case that is not here.
function nobody() {
  if (!state.case) return ["No case is selected."];
  if (!casesPage) return ["No case of this run has the id that the address names."];
  return ["No case of this page has the id that the address names. ", make("a", { href: allCases() }, "Look in the list of all cases.")];
}

// Links that search the answers: one to each page of cases, at most so many.
const LINKED_PAGES = 40;
function searchLinks() {
  const links = elsewhere.slice(0, LINKED_PAGES).flatMap(({ file }, place) => [" ", make("a", { href: file + address(filtersOnly()) }, place + 1)]);
  return elsewhere.length > LINKED_PAGES ? [...links, ` … ${number(elsewhere.length)}`] : links;
}

const allCases = () => `../index.html${address({ at: "", ...leavingCase() })}`;

// The way from page to page, above the list. Its links follow the filters, that to all cases as well the case.
function drawTurning() {
  if (!casesPage) return;
  const turn = (word, file, key) => file ? make("a", { class: key, href: file + address(filtersOnly()) }, word) : make("span", { class: "muted" }, word);
  document.getElementById("turning").replaceChildren(
    make("a", { class: "all", href: allCases(), on: { click: (event) => { event.currentTarget.href = allCases(); } } }, "all cases"),
    turn("‹ page before", casesPage.previous, "before"), turn("next page ›", casesPage.next, "next"),
    make("span", { class: "muted range" }, `page ${number(casesPage.number)} of ${number(casesPage.of)}: cases ${number(casesPage.first + 1)} to ${number(casesPage.first + cases.length)} of ${number(casesPage.all)}`));
}
