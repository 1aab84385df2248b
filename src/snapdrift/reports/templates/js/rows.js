// The rows of the list: a heading of a group, and a case with what moved.

function groupRow({ group, count }) {
  const open = !isFolded(group);
  return make("button", {
    type: "button", class: `group ${group.name}`, "aria-expanded": String(open),
    on: { click: () => { foldedByHand.set(group.name, open); refreshList(); } },
  }, make("span", { class: "shape", "aria-hidden": "true" }, group.shape), make("span", { class: "name" }, group.word), make("span", { class: "count" }, number(count)));
}

function caseRow({ entry, group, value }, active) {
  const flat = group === EVERY, selected = entry.id === state.case, own = groupThrough(entry, active) ?? unchanged;
  return make("a", {
    class: flat ? "row flat" : "row", href: caseAddress(entry), "aria-current": selected ? "true" : null,
    on: { click: (event) => { if (!elsewhere && !event.metaKey && !event.ctrlKey && !event.shiftKey) { event.preventDefault(); select(entry, "click"); } } },
  }, flat ? make("span", { class: `shape ${own.name}`, role: "img", "aria-label": own.word, title: own.word }, own.shape) : null,
  make("span", { class: "name" }, shown(entry.id)), reviewSign(entry), make("span", { class: "moved" }, flat && value !== null ? sortOf().shown(value) : moved(entry, active)));
}

// What stands at the right of a row: the metrics that newly fail, those that newly pass (marked where both do), else how
// many repeats passed.
function moved(entry, active) {
  const metrics = groups.slice(0, 2).map((kind) => [...new Set(changesOf(entry, active).filter(({ group }) => group === kind).map(({ lens }) => index.metrics[lens.metric]?.name ?? ""))]);
  const [failing, passing] = metrics;
  if (failing.length && passing.length) {
    const mark = groups[1];
    return [...shown(failing.join(", ")), " ", make("span", { class: `also ${mark.name}`, title: `${mark.word}: ${passing.join(", ")}` },
      make("span", { class: "unseen" }, `; ${mark.word}: `), make("span", { "aria-hidden": "true" }, `${mark.shape} `), shown(passing.join(", ")))];
  }
  return failing.length || passing.length ? shown([...failing, ...passing].join(", ")) : repeatsPassed(entry, active);
}

// Of a case whose repeats disagree: `2 of 3`, and `3 of 3 → 2 of 3` where there is a baseline.
function repeatsPassed(entry, active) {
  const told = entry.passes.find(([lens]) => active.some((each) => each.number === lens));
  if (!told) return "";
  const [lens, ...sides] = told, ofMany = sides.filter((side) => side.length).map(([passed, graded]) => `${passed} of ${graded}`);
  return make("span", { title: "repeats that passed" }, shown(index.metrics[lenses[lens].metric].name), ` ${ofMany.join(" → ")}`);
}

// The lenses through which a case newly fails or passes, as the filters leave them.
function changesOf(entry, active = activeLenses()) {
  return active.map((lens) => ({ lens, group: groupOfCode.get(entry.states[lens.number]) }))
    .filter(({ group, lens }) => group && group.rank < 2 && lens.baseline >= 0);
}
