// Labelling blind: the answers of a random sample one by one, without a word of who gave them or what the judge said.
// The rows are in the order in which `snapdrift calibrate --draw` draws them, which is what makes their labels count.

let sheets = null;
let sheet = null;
let rowAt = 0;
let rowsDrawn = 0;

async function loadSheets() {
  if (sheets) return;
  const { texts, sheets: packed } = JSON.parse(await inflate(document.getElementById("sheets").textContent));
  const row = ([place, answer, places, question, text, criteria]) => ({ place, answer, places, question: texts[question], text: text < 0 ? null : texts[text], criteria: criteria.map((each) => texts[each]) });
  sheets = packed.map(({ choices, rows }, at) => ({ choices, metric: index.sheets[at][0], rows: rows.map(row) }));
}

const blindKeys = (row) => row.places.map(([variant, repeat]) => markKey(cases[row.place].id, index.variants[variant].name, repeat, index.metrics[sheet.metric].name, "calibration"));
const blindMark = (row) => review.marks.get(blindKeys(row)[0]);
const passedKey = (row) => JSON.stringify([cases[row.place].id, row.answer, index.metrics[sheet.metric].name]);
const isDone = (row) => !!blindMark(row) || review.passed.has(passedKey(row));

async function openLabelling(at) {
  await loadSheets();
  sheet = sheets[at];
  rowAt = sheet.rows.findIndex((row) => !isDone(row));
  if (rowAt < 0) rowAt = sheet.rows.length;
  document.getElementById("review-files").close();
  document.getElementById("labelling").showModal();
  await drawRow();
}

// The answer's text where the sheet does not carry it: the page has it among the case's answers.
async function blindText(row) {
  if (row.text !== null) return row.text;
  const [variant, repeat] = row.places[0], answer = answerOf(await loadDetail(row.place), variant, repeat);
  return answer?.text || answer?.refusal || "";
}

// Pairs of which both answers are labelled: a difference needs both.
function wholePairs() {
  const open = new Set(sheet.rows.filter((row) => !blindMark(row)).map((row) => row.place));
  return new Set(sheet.rows.map((row) => row.place).filter((place) => !open.has(place))).size;
}

async function drawRow() {
  const body = document.getElementById("labelling-body"), row = sheet.rows[rowAt], turn = ++rowsDrawn;
  const over = sheet.rows.slice(0, rowAt).filter((each) => review.passed.has(passedKey(each)) && !blindMark(each)).length;
  const told = `${number(Math.min(rowAt + 1, sheet.rows.length))} of ${number(sheet.rows.length)}; ${number(wholePairs())} whole pairs${over ? `, ${number(over)} rows passed over` : ""}`;
  document.getElementById("labelling-told").textContent = told;
  document.getElementById("labelling-metric").textContent = index.metrics[sheet.metric].name;
  if (!row) {
    body.replaceChildren(make("p", {}, "There is nothing more to label. Close this and export the labels."));
    return;
  }
  const text = await blindText(row);
  if (turn !== rowsDrawn) return;
  const mark = blindMark(row);
  body.replaceChildren(
    make("section", { "aria-label": "Question" }, make("h3", {}, "Question"), long("pre", row.question)),
    make("section", { "aria-label": "Answer" }, make("h3", {}, "Answer"), text ? long("pre", text) : make("p", { class: "none" }, "The answer is empty.")),
    make("section", { "aria-label": "Criteria" }, make("h3", {}, "Criteria"), make("ul", {}, row.criteria.map((line) => make("li", {}, shown(line))))),
    make("p", { class: "choices", role: "group", "aria-label": "Your verdict" }, sheet.choices.map(([name, label], place) =>
      make("button", { type: "button", "aria-pressed": String(mark?.label === label), on: { click: () => sayBlind(label) } }, make("kbd", {}, `${place + 1}`), " ", shown(name)))));
  body.scrollTop = 0;
  if (!document.activeElement?.closest("#labelling")) body.focus();  // the button that was pressed is gone
}

async function sayBlind(label) {
  const row = sheet.rows[rowAt];
  record("marks", blindKeys(row).map((key) => [key, { answer: row.answer, label, comment: "", labelled_at: now(), doubts: false }]));
  if (review.passed.has(passedKey(row))) { review.passed.delete(passedKey(row)); keepReview(); }
  await onward();
}

async function passOver() {
  if (!sheet.rows[rowAt]) return;
  record("passed", [[passedKey(sheet.rows[rowAt]), true]]);
  await onward();
}

async function onward() {
  const later = sheet.rows.findIndex((row, place) => place > rowAt && !isDone(row));
  rowAt = later < 0 ? sheet.rows.length : later;
  refreshReviewBar();
  await drawRow();
}

async function backward() {
  if (rowAt > 0) rowAt -= 1;
  await drawRow();
}

function onLabellingKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const choice = sheet.choices[Number(event.key) - 1];
  if (choice && sheet.rows[rowAt]) sayBlind(choice[1]);
  else if (event.key === "s") passOver();
  else if (event.key === "u" || event.key === "b") backward();
  else return;
  event.preventDefault();
}

function startLabelling() {
  const dialog = document.getElementById("labelling"), list = document.getElementById("to-label");
  document.getElementById("label-blind").hidden = !index.sheets.length;
  list.replaceChildren(...index.sheets.map(([metric, baseline, candidate], at) => make("li", {},
    make("button", { type: "button", "data-sheet": at, on: { click: () => openLabelling(at) } }, "label ", shown(index.metrics[metric].name)),
    make("span", { class: "muted" }, " ", shown(`${index.variants[candidate].name} against ${index.variants[baseline].name}`)))));
  dialog.addEventListener("keydown", onLabellingKey);
  dialog.addEventListener("close", () => { document.getElementById("labelling-body").replaceChildren(); refreshMarkings(); });
  document.getElementById("pass-over").addEventListener("click", passOver);
  document.getElementById("label-back").addEventListener("click", backward);
}
