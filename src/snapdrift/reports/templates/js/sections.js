// Goes to a section. The address stays as it is: it says what is shown of the cases, and Back goes through that.

function goTo(id) {
  const section = document.getElementById(id);
  if (!section?.matches("main > section")) return null;
  const folding = section.querySelector(":scope > details.folding");
  if (folding) folding.open = true;
  section.scrollIntoView();
  return section;
}

for (const link of document.querySelectorAll("a.goes")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const section = goTo(link.getAttribute("href").slice(1));
    if (!section) return;
    section.tabIndex = -1;
    section.focus({ preventScroll: true });
  });
}

// An address of a section, as `#variants`, goes there once the page is whole; the case that is shown is the first.
const askedFor = location.hash.slice(1);
addEventListener("load", () => { if (/^[a-z-]+$/.test(askedFor)) goTo(askedFor); });

// A table that is wider than its place scrolls: then, and only then, the keyboard stops there.
function makeReachable(scroller) {
  const wide = scroller.scrollWidth > scroller.clientWidth;
  if (wide === scroller.hasAttribute("tabindex")) return;
  const label = scroller.closest("section")?.getAttribute("aria-labelledby");
  const wanted = { tabindex: "0", role: "group", "aria-labelledby": label };
  for (const [name, value] of Object.entries(wanted)) {
    if (wide && value) scroller.setAttribute(name, value);
    else scroller.removeAttribute(name);
  }
}

const widths = new ResizeObserver((entries) => { for (const entry of entries) makeReachable(entry.target); });
for (const scroller of document.querySelectorAll(".scroll")) widths.observe(scroller);
