// Marks out of the page and into it: label rows as JSON lines, and accepted cases as YAML.

const MOST_PROBLEMS = 50, ACCEPTED_DAYS = 90;
const ROW_KEYS = ["run", "case", "variant", "repeat", "metric", "answer", "label", "purpose", "rater", "comment", "labelled_at"];

// Every mark with a label, as `snapdrift calibrate RUN --labels` takes it; a comment alone is no label and stays here.
function labelRows() {
  const rows = [];
  for (const [key, { answer, label, comment, labelled_at }] of review.marks) {
    const [id, variant, repeat, metric, purpose, rater] = JSON.parse(key);
    if (label !== null) rows.push({ run: index.run, case: id, variant, repeat, metric, answer, label, purpose, rater, comment: comment ?? "", labelled_at });
  }
  return rows;
}

const asLines = (rows) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

// A text in double quotes that is JSON and YAML: what YAML takes for unprintable is written as its number.
const quotedText = (text) => JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

function acceptedYaml(until) {
  const entries = [];
  for (const [id, { metrics, why, by, hash }] of review.accepted) {
    for (const metric of metrics) entries.push({ suite: index.suite_name, case: id, metric, why, by: by || raterNow, until, ...(hash ? { hash } : {}) });
  }
  return entries.map((entry) => Object.entries(entry).map(([name, value], place) => `${place ? "  " : "- "}${name}: ${name === "until" ? value : quotedText(value)}\n`).join("")).join("");
}

const inDays = (days) => new Date(Date.now() + days * 86400000).toISOString().slice(0, 10);

function download(name, text, type) {
  const address = URL.createObjectURL(new Blob([text.toWellFormed?.() ?? text], { type }));
  const link = make("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

// ------------------------------------------------------------------------------------------------------------ the import

// The rows of a text; `problems` says at which line what was found and what was expected. One mistake, and none is taken.
async function readRows(text) {
  const problems = [], rows = new Map(), places = new Map(cases.map(({ id, place }) => [id, place]));
  const lines = text.replace(/^\ufeff/, "").split(/\r?\n/);
  for (const [at, line] of lines.entries()) {
    if (!line.trim()) continue;
    let problem, row;
    try {
      row = JSON.parse(line);
      problem = formProblem(row) ?? await answerProblem(row, places);
    } catch { problem = `found ${brief(line)}; expected a JSON object on one line`; }
    const key = problem ? "" : markKey(row.case, row.variant, row.repeat, row.metric, row.purpose, row.rater ?? "");
    if (rows.has(key) && rows.get(key).row.label !== row.label) problem = `label: ${brief(row.label)}, another label of the same answer; expected one label of an answer, it is first at line ${rows.get(key).line}`;
    if (problem) problems.push(`line ${at + 1}: ${problem}`);
    else rows.set(key, { row, line: at + 1 });
    if (problems.length >= MOST_PROBLEMS) break;
  }
  if (!rows.size && !problems.length) problems.push("found no rows; expected one JSON object a line");
  return { problems, rows };
}

const brief = (value) => { const text = typeof value === "string" ? JSON.stringify(value) : JSON.stringify(value) ?? "nothing"; return text.length > 80 ? `${text.slice(0, 77)}…` : text; };

// What is wrong with the form of a row, null where nothing is; as `suites/labels.py` checks it.
function formProblem(row) {
  if (row === null || typeof row !== "object" || Array.isArray(row)) return `found ${brief(row)}; expected a JSON object`;
  if (Object.hasOwn(row, "item")) return "item: a row of a sheet; expected a row that names its answer: give sheets to `snapdrift calibrate --labels`";
  const odd = Object.keys(row).find((name) => !ROW_KEYS.includes(name));
  if (odd !== undefined) return `${brief(odd)}: unknown key; expected ${ROW_KEYS.join(", ")}`;
  for (const name of ["run", "case", "variant", "metric"]) if (typeof row[name] !== "string" || !row[name]) return `${name}: ${brief(row[name])}; expected text`;
  for (const name of ["rater", "comment", "labelled_at"]) if (row[name] !== undefined && typeof row[name] !== "string") return `${name}: ${brief(row[name])}; expected text`;
  if (!Number.isInteger(row.repeat) || row.repeat < 0) return `repeat: ${brief(row.repeat)}; expected a whole number from 0`;
  if (typeof row.answer !== "string" || !/^[0-9a-f]{64}$/.test(row.answer)) return `answer: ${brief(row.answer)}; expected the SHA-256 of the answer's text, 64 hexadecimal digits`;
  if (row.purpose !== "review" && row.purpose !== "calibration") return `purpose: ${brief(row.purpose)}; expected review or calibration`;
  return null;
}

// Whether the run has the answer, and the label is one of the metric; null where all is well.
async function answerProblem(row, places) {
  if (row.run !== index.run) return `run: ${brief(row.run)}; expected ${index.run}: labels are of the answers of one run`;
  const metric = index.metrics.findIndex((each) => each.name === row.metric), variant = variantNumber(row.variant);
  if (!markable.includes(metric)) return `metric: ${brief(row.metric)}; expected one of ${markable.map((place) => index.metrics[place].name).join(", ")}`;
  if (variant < 0) return `variant: ${brief(row.variant)}; expected one of ${index.variants.map((each) => each.name).join(", ")}`;
  const here = !elsewhere && places.has(row.case);
  // Whose answer is on another page of a split report cannot be held against it here: `snapdrift calibrate` does that.
  if (!here && (elsewhere ? caseById.has(row.case) : casesPage)) return labelProblem(metric, row.label);
  if (!here) return `case: ${brief(row.case)}; expected the id of a case of the run`;
  const answer = answerOf(await loadDetail(places.get(row.case)), variant, row.repeat);
  if (!isMarkable(answer)) return `answer: no answer to case ${brief(row.case)} there; expected a call that was answered`;
  if (answerHash(answer) !== row.answer) return `answer: ${row.answer.slice(0, 12)}…; expected ${answerHash(answer).slice(0, 12)}…, the answer that the run has now`;
  return labelProblem(metric, row.label);
}

function labelProblem(metric, label) {
  const [scale, levels] = index.marking[metric];
  if (!scale) return typeof label === "boolean" ? null : `label: ${brief(label)}; expected true (right) or false (wrong)`;
  const among = levels.map(([level]) => level);
  if (typeof label === "number" && (levels.length ? among.includes(label) : label >= scale[0] && label <= scale[1])) return null;
  return `label: ${brief(label)}; expected ${levels.length ? `one of ${among.join(", ")}` : `a number from ${scale[0]} to ${scale[1]}`}`;
}

async function takeRows(text) {
  const { problems, rows } = await readRows(text);
  const list = document.getElementById("review-problems");
  list.replaceChildren(make("ul", {}, problems.map((problem) => make("li", {}, shown(problem)))));
  if (problems.length) { sayImported("nothing was taken"); return; }
  const values = [], places = new Map(cases.map(({ id, place }) => [id, place]));
  let replaced = 0;
  for (const [key, { row }] of rows) {
    const metric = index.metrics.findIndex((each) => each.name === row.metric);
    const detail = details[places.get(row.case)], answer = detail ? answerOf(detail, variantNumber(row.variant), row.repeat) : null;
    const before = review.marks.get(key);
    replaced += before && before.label !== null && before.label !== row.label ? 1 : 0;
    values.push([key, { answer: row.answer, label: row.label, comment: row.comment ?? "", labelled_at: row.labelled_at ?? "", doubts: answer !== null && doubts(metric, row.label, answer) }]);
  }
  record("marks", values);
  refreshMarkings();
  sayImported(`${number(rows.size)} rows taken${replaced ? `, ${number(replaced)} in the place of earlier ones` : ""}`);
}

function sayImported(text) { document.getElementById("imported").textContent = text; }

// ------------------------------------------------------------------------------------------------------------ the dialog

function describeExport() {
  const rows = labelRows(), { comments, accepted } = reviewCounts();
  const left = comments ? `; ${number(comments)} ${comments === 1 ? "comment stays" : "comments stay"} in this browser: a row needs a mark beside its comment` : "";
  document.getElementById("labels-told").textContent = `${number(rows.length)} ${rows.length === 1 ? "row" : "rows"}${left}`;
  document.getElementById("accepted-told").textContent = `${number(accepted)} ${accepted === 1 ? "case" : "cases"}`;
  for (const id of ["save-labels", "copy-labels"]) document.getElementById(id).disabled = !rows.length;
  for (const id of ["save-accepted", "copy-accepted"]) document.getElementById(id).disabled = !accepted;
}

// Gives what is exported to `send` once there is a name to put to it.
async function exported(part, button, send) {
  const name = document.getElementById("rater").value.trim();
  if (!name) { document.getElementById("rater").focus(); sayExported("first say who marked: your name goes into every row"); return; }
  if (name !== raterNow) nameRater(name);
  try { await send(); } catch { sayExported(`the browser does not let the page ${button}`); return; }
  review.unsaved[part] = false;
  keepReview();
  refreshMarkings();
  describeExport();
  sayExported(button === "copy" ? "copied" : "downloaded");
}

function sayExported(text) { document.getElementById("exported").textContent = text; }

function startReviewFiles() {
  const dialog = document.getElementById("review-files"), at = (id) => document.getElementById(id);
  const yaml = () => acceptedYaml(at("until").value || inDays(ACCEPTED_DAYS));
  const on = (id, part, word, send) => at(id).addEventListener("click", () => exported(part, word, send));
  on("save-labels", "labels", "download", () => download(`labels-${index.run}.jsonl`, asLines(labelRows()), "application/jsonl"));
  on("copy-labels", "labels", "copy", () => navigator.clipboard.writeText(asLines(labelRows())));
  on("save-accepted", "accepted", "download", () => download("accepted.yaml", yaml(), "application/yaml"));
  on("copy-accepted", "accepted", "copy", () => navigator.clipboard.writeText(yaml()));
  at("rater").addEventListener("change", () => { nameRater(at("rater").value.trim()); refreshMarkings(); });
  at("review-open").addEventListener("click", () => {
    at("until").value ||= inDays(ACCEPTED_DAYS);
    for (const id of ["exported", "imported"]) at(id).textContent = "";
    at("review-problems").replaceChildren();
    describeExport();
    dialog.showModal();
  });
  at("import-file").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (file) await takeRows(await file.text());
    event.target.value = "";
    describeExport();
  });
  at("import-take").addEventListener("click", async () => { await takeRows(at("import-text").value); describeExport(); });
}
