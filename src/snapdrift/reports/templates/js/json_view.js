// Draws a comparison of JSON: the changed paths in words, and the values as they are printed, line beside line.

const CHANGES_LISTED = 12;
const CONTEXT = 3;
const SHORTEST_FOLD = 10;
const MOST_LINES = 400;
let unfoldedCase = null;

// The rows of all columns: `[{cells, states, path, moved}]`. Lines of the reference stand on a level; what only others have
// between two of them stands between them.
function mergedRows(diffs) {
  const queues = diffs.map((diff) => diff ? [...diff.rows].reverse() : null), merged = [];
  const known = queues.filter(Boolean);
  const extras = () => queues.map((queue) => {
    const found = [];
    while (queue?.length && queue[queue.length - 1].left === null) found.push(queue.pop());
    return found;
  });
  const row = (reference, rows) => merged.push({
    reference, cells: [reference, ...rows.map((each) => each?.right ?? null)], states: rows.map((each) => each?.state ?? null),
    references: rows.map((each) => each?.left ?? null), paths: rows.map((each) => each?.path ?? ""), moved: rows.map((each) => each?.moved ?? ""),
  });
  while (known.some((queue) => queue.length)) {
    const between = extras();
    for (let at = 0; at < Math.max(...between.map((found) => found.length)); at += 1) row(null, between.map((found) => found[at] ?? null));
    if (!known.some((queue) => queue.length)) break;
    const rows = queues.map((queue) => queue?.pop() ?? null);
    row(rows.find(Boolean).left, rows);
  }
  return merged;
}

const isSame = ({ states }) => states.every((each) => each === SAME || each === null);

// The rows with long stretches of the same left out, and the end of what is very long, until they are asked for.
function foldedRows(rows) {
  if (unfoldedCase === state.case) return rows;
  const kept = [];
  for (let at = 0; at < rows.length;) {
    let end = at;
    while (end < rows.length && isSame(rows[end])) end += 1;
    const [head, tail] = [at ? CONTEXT : 1, end < rows.length ? CONTEXT : 1];
    if (end - at >= SHORTEST_FOLD + head + tail) kept.push(...rows.slice(at, at + head), { folded: end - at - head - tail }, ...rows.slice(end - tail, end));
    else kept.push(...rows.slice(at, end));
    if (end === at) { kept.push(rows[at]); end += 1; }
    at = end;
  }
  return kept.length > MOST_LINES + SHORTEST_FOLD ? [...kept.slice(0, MOST_LINES), { folded: kept.length - MOST_LINES, more: true }] : kept;
}

const SIGNS = { changed: "≠", left: "+", right: "+", moved: "↕" };

function jsonBody(rows, at, saids) {
  const body = make("div", { class: "json", dir: "ltr" }, rows.map((row) => row.folded ? foldRow(row, at) : at ? otherLine(row, at) : referenceLine(row, saids)));
  body.style.gridRow = `span ${rows.length}`;
  return body;
}

function foldRow({ folded: lines, more }, at) {
  if (at) return make("div", { class: "ln fold", "aria-hidden": "true" }, "⋯");
  return make("div", { class: "ln fold" }, make("button", { type: "button", class: "plain", on: { click: () => { unfoldedCase = state.case; drawCase(); } } }, more ? `⋯ ${number(lines)} more lines` : `⋯ ${number(lines)} lines the same`));
}

function otherLine({ cells, states, paths, moved }, at) {
  const line = cells[at], how = states[at - 1];
  if (!line) return make("div", { class: "ln absent" });
  if (how === SAME) return codeLine(line, "", "");
  const words = how === CHANGED ? "changed" : moved[at - 1] ? `moved ${moved[at - 1]}` : "only here";
  return codeLine(line, moved[at - 1] ? "moved" : how, `${words}, at ${paths[at - 1] || "the whole answer"}`);
}

// A line of the reference differs where it does from any of the others.
function referenceLine({ reference, references, states, paths, moved }, saids) {
  if (!reference) return make("div", { class: "ln absent" });
  const differing = states.map((each, place) => each !== null && each !== SAME ? place : -1).filter((place) => place >= 0);
  if (!differing.length) return codeLine(reference, "", "");
  const [one] = differing, how = states[one];
  const words = moved[one] ? `moved ${moved[one]}` : differing.length < states.length ? `differs in ${inWords(saids, differing.map((place) => saids[place + 1]))}` : how === CHANGED ? "changed" : "only here";
  const line = differing.length > 1 ? { ...reference, runs: null } : references[one];
  return codeLine(line, moved[one] ? "moved" : how, `${words}, at ${paths[one] || "the whole answer"}`);
}

// A printed line. What is the matter with it is a sign for the eye and words for a screen reader.
function codeLine({ depth, head, body, tail, runs }, how, words) {
  const value = !how ? shown(body) : runs ? runs.flatMap(([same, run]) => same ? shown(run) : [marked(run)]) : [marked(body)];
  const alone = how === ONLY_LEFT || how === ONLY_RIGHT || how === "moved";
  const code = make("span", { class: "code" }, alone ? make("mark", {}, shown(head), shown(body)) : [...shown(head), ...value], shown(tail));
  code.style.marginLeft = `${2 * depth}ch`;
  return make("div", { class: `ln${how ? ` is-${how}` : ""}`, title: words || null }, how ? make("span", { class: "sign", "aria-hidden": "true" }, SIGNS[how]) : null, words ? make("span", { class: "spoken" }, `${words}: `) : null, code);
}

// What changed, path by path, for each column beside the first.
function changedPaths(saids, diffs) {
  const lists = diffs.map((diff, at) => diff && diff.changes.length ? pathList(saids, diff.changes, at + 1) : null).filter(Boolean);
  return lists.length ? make("div", { class: "changed-paths" }, lists) : null;
}

function pathList(saids, changes, at) {
  const [first, other] = [saids[0], saids[at]].map((said) => inWords(saids, [said]));
  const sentences = changes.map((each) => make("li", {}, make("code", {}, shown(changeInWords(each, first, other)))));
  const title = saids.length > 2 ? make("span", { class: "muted" }, shown(`${other}: `)) : null;
  const count = `${number(changes.length)} ${changes.length === 1 ? "place differs" : "places differ"}`;
  const rest = sentences.slice(CHANGES_LISTED);
  return make("div", { class: "paths" }, make("span", { class: "key" }, title, count), make("ul", {}, sentences.slice(0, CHANGES_LISTED), rest.length ? make("li", {}, make("details", {}, make("summary", {}, `${number(rest.length)} more`), make("ul", {}, rest))) : null));
}
