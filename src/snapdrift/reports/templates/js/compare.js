// How the columns of a case are compared: as JSON, word by word, or not at all. Each is compared with the first.

const MODES = { json: "JSON", words: "words", plain: "plain" };

// What a column says: `{column, title, answer, text, given, json}`. `given` is whether there is an answer to compare.
function saidBy(detail, column) {
  const answer = column.side === EXPECTED ? null : answerOf(detail, column.side, column.repeat);
  const text = column.side === EXPECTED ? detail.expected ?? "" : answer ? spoken(answer) : "";
  const given = column.side === EXPECTED ? detail.expected !== null : Boolean(answer) && answer.outcome !== "missing" && !answer.failure;
  return { column, title: titleOf(column), answer, text, given, json: given && text ? readJson(text) : { value: null, fenced: false, problem: "" } };
}

// Names of columns as a sentence has them; the repeat is said where a variant stands beside itself.
function inWords(all, saids) {
  const names = saids.map(({ column, title }) => all.filter((each) => each.column.side === column.side).length > 1 ? `${title}, repeat ${column.repeat + 1}` : title);
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;
}

function modesOf(saids) {
  if (areRedacted()) return ["plain"];
  const [first, ...others] = saids;
  const json = others.length && isContainer(first.json.value) && others.some(({ json: { value } }) => isContainer(value));
  return json ? ["json", "words", "plain"] : ["words", "plain"];
}

// The mode that was chosen, else JSON where all columns are JSON that differs, else words: they show what JSON does not.
function modeOf(saids, modes) {
  if (modes.includes(state.mode)) return state.mode;
  const values = saids.map(({ json }) => json.value);
  return modes[0] === "json" && values.every(isContainer) && values.some((value) => signature(value) !== signature(values[0])) ? "json" : modes[modes.length - 2] ?? "plain";
}

// Answers that were taken out of the page say only whether they are the same: their words are not compared.
const areRedacted = () => index.redacted?.includes("answer") ?? false;

function nextMode() {
  const entry = currentEntry(), detail = entry && details[entry.place];
  if (!detail) return;
  const saids = columnsOf(entry).map((column) => saidBy(detail, column)), modes = modesOf(saids);
  showMode(modes[(modes.indexOf(modeOf(saids, modes)) + 1) % modes.length]);
}

function showMode(mode) {
  change({ mode }, "click");
  drawCase();
}

function modeButtons(modes, mode) {
  return make("span", { class: "modes", role: "group", "aria-label": "how the answers are compared" }, modes.map((each) => make("button", {
    type: "button", class: "plain", "data-at": `mode-${each}`, "aria-pressed": String(each === mode), title: "d", on: { click: () => showMode(each) },
  }, MODES[each])));
}

// `{mode, modes, notes, bodies, above, rows}`: `bodies` has for each column the element in which its answer is marked, or
// null; `above` stands over the columns; `rows` is how many rows the bodies have that are to stand on a level.
function compareColumns(saids) {
  const modes = modesOf(saids), mode = modeOf(saids, modes);
  const result = { mode, modes, notes: [], bodies: saids.map(() => null), above: null, rows: 0 };
  const [first, ...others] = saids;
  const comparable = first.given && first.text ? others.filter(({ given, text }) => given && text) : [];
  if (!others.length || !saids.every(({ given }) => given)) return comparable.length ? markColumns(saids, result) : result;
  if (others.every(({ text }) => text === first.text)) return { ...result, notes: [saids.length > 2 ? "All answers shown are the same." : sameNote(saids)] };
  return areRedacted() ? { ...result, notes: ["The answers differ."] } : markColumns(saids, result);
}

const sameNote = (saids) => saids.some(({ column }) => column.side === EXPECTED) ? "The answer is what was expected, letter by letter." : "The two answers are the same.";

function markColumns(saids, result) {
  const troubled = saids.filter(({ json }) => json.problem);
  if (troubled.length) result.notes.push(`Not compared as JSON: the answer of ${inWords(saids, troubled)} is ${troubled[0].json.problem}.`);
  if (result.mode === "json") return asJson(saids, result);
  const values = saids.map(({ json }) => json.value);
  if (values.every(isContainer) && values.every((value) => signature(value) === signature(values[0]))) result.notes.push("As JSON they are the same: what differs is how it is written.");
  return result.mode === "words" ? byWords(saids, result) : result;
}

function byWords(saids, result) {
  const [first, ...others] = saids, tokens = first.text.length <= LONG ? words(first.text) : [];
  const kept = new Uint8Array(tokens.length).fill(1);
  let short = true, complete = true, some = false;
  others.forEach((said, at) => {
    if (!said.given || !said.text || !first.given || !first.text) return;
    if (Math.max(first.text.length, said.text.length) > LONG) { short = false; return; }
    const diff = wordDiff(first.text, said.text);
    complete &&= diff.complete;
    some = true;
    diff.kept.forEach((same, place) => { kept[place] &= same; });
    if (said.text !== first.text) result.bodies[at + 1] = markedText(said.text, diff.right);
  });
  if (some) result.bodies[0] = markedText(first.text, runs(tokens, kept));
  if (!short) result.notes.push("The answers are too long to mark single words.");
  else if (!complete) result.notes.push("The answers differ too much to mark single words.");
  othersNoted(saids, result, ({ text }) => text === first.text);
  return result;
}

// Of three columns and more: what they are compared with, and which of them are the same as that.
function othersNoted(saids, result, isAlike) {
  const [first, ...others] = saids;
  if (others.length < 2) return;
  const alike = others.filter((said) => said.given && isAlike(said));
  result.notes.push(`Each is compared with ${inWords(saids, [first])}${alike.length ? `; ${inWords(saids, alike)} ${alike.length > 1 ? "are" : "is"} the same` : ""}.`);
}

const markedText = (text, pieces) => long("pre", text, pieces.flatMap(([same, run]) => same ? shown(run) : [make("mark", {}, shown(run))]));

function asJson(saids, result) {
  const [first, ...others] = saids;
  const diffs = others.map(({ json }) => isContainer(json.value) ? jsonDiff(first.json.value, json.value) : null);
  const fenced = saids.filter(({ json }) => json.fenced), not = others.filter((_, at) => !diffs[at]);
  if (fenced.length) result.notes.push(`The answer of ${inWords(saids, fenced)} stands in a code fence: what is inside is compared.`);
  if (not.length) result.notes.push(`The answer of ${inWords(saids, not)} is not JSON.`);
  diffs.forEach((diff, at) => diff?.reordered.slice(0, 3).forEach((path) => result.notes.push(`${inWords(saids, [others[at]])}: the same members in another order${path ? ` in ${path}` : ""}.`)));
  othersNoted(saids, result, (said) => isContainer(said.json.value) && signature(said.json.value) === signature(first.json.value));
  const rows = foldedRows(mergedRows(diffs));
  result.rows = rows.length;
  saids.forEach((said, at) => { result.bodies[at] = at && !diffs[at - 1] ? long("pre", said.text) : jsonBody(rows, at, saids); });
  result.above = changedPaths(saids, diffs);
  return result;
}
