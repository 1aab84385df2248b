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

// What of long texts is compared: all that lies between what all of them begin and end with, and a little around it.
// `{from, of, end, same, note}`: where it begins in each, what it is of a text, where it ends there, a word for the rest.
const AROUND = 300;
function windowOf(texts) {
  const whole = { from: 0, of: (text) => text, end: (text) => text.length, note: "" };
  if (texts.length < 2 || texts.every(({ length }) => length <= LONG)) return whole;
  const [first, ...others] = texts;
  const start = Math.min(...others.map((other) => commonStart(first, other)));
  const tail = Math.min(...others.map((other) => commonEnd(first, other, start)));
  const gap = first.slice(Math.max(start - AROUND, 0), start).search(/\s/);
  const from = start <= 2 * AROUND ? 0 : gap < 0 || gap === AROUND - 1 ? start - AROUND - Number(isLow(first, start - AROUND)) : start - AROUND + gap + 1;
  const kept = tail <= 2 * AROUND ? 0 : tail - AROUND - Number(isLow(first, first.length - tail + AROUND));
  const end = (text) => { const last = Math.min(text.length - kept, from + LONG); return last + Number(isLow(text, last)); };
  const cut = texts.some((text) => end(text) < text.length - kept);
  return {
    from, end, of: (text) => text.slice(from, end(text)),
    same: (rest) => `… ${number(rest.length)} ${cut && rest.length > kept ? "more characters" : "characters that all have"}`,
    note: `The answers first differ at character ${number(start + 1)}; what all of them have before and after is left out.`,
  };
}

const isLow = (text, at) => /[\udc00-\udfff]/.test(text.charAt(at));

function commonStart(one, other) {
  const most = Math.min(one.length, other.length);
  let at = 0;
  while (at < most && one.charCodeAt(at) === other.charCodeAt(at)) at += 1;
  return at;
}

function commonEnd(one, other, start) {
  const most = Math.min(one.length, other.length) - start;
  let at = 0;
  while (at < most && one.charCodeAt(one.length - 1 - at) === other.charCodeAt(other.length - 1 - at)) at += 1;
  return at;
}

function byWords(saids, result) {
  const [first, ...others] = saids, view = windowOf(saids.filter(({ given, text }) => given && text).map(({ text }) => text));
  const tokens = words(view.of(first.text));
  const kept = new Uint8Array(tokens.length).fill(1);
  let complete = true, some = false;
  others.forEach((said, at) => {
    if (!said.given || !said.text || !first.given || !first.text) return;
    const diff = wordDiff(view.of(first.text), view.of(said.text));
    complete &&= diff.complete;
    some = true;
    diff.kept.forEach((same, place) => { kept[place] &= same; });
    if (said.text !== first.text) result.bodies[at + 1] = markedText(said.text, diff.right, view);
  });
  if (some) result.bodies[0] = markedText(first.text, runs(tokens, kept), view);
  if (view.note) result.notes.push(view.note);
  if (!complete) result.notes.push("The answers differ too much to mark single words.");
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

// An answer with its marks; what the window leaves out of it stands behind buttons.
function markedText(text, pieces, view) {
  const end = view.end(text), before = text.slice(0, view.from), after = text.slice(end);
  const inside = pieces.flatMap(([same, run]) => same ? shown(run) : [marked(run)]);
  return long("pre", text, [before ? leftOut(before, view.same(before)) : "", ...inside, after ? leftOut(after, view.same(after)) : ""]);
}

const leftOut = (text, told) => make("button", {
  type: "button", class: "more", on: { click: ({ currentTarget }) => currentTarget.replaceWith(...partsOf(text).map((part) => make("span", { class: "part" }, shown(part)))) },
}, told);

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
