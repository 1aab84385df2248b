// What reviewers say, kept in the browser by run until it is exported: marks of answers, accepted cases, rows passed over.

const REVIEW_KEY = `snapdrift-review:${index.run}`;
const RATER_KEY = "snapdrift-rater";
const UNDO_STEPS = 200;
// An accepted case is {metrics, why, by, hash}: the metrics are kept with it, because a page of a split report has not every case.
// `marks` go by the JSON of [case, variant, repeat, metric, purpose, rater]; a mark is {answer, label, comment, labelled_at, doubts}.
const review = { marks: new Map(), accepted: new Map(), passed: new Map(), unsaved: { labels: false, accepted: false } };
const changesMade = [];
let keptInBrowser = true;
let raterNow = "";
let reviewedCases = null;

const markKey = (caseId, variant, repeat, metric, purpose = "review", rater = raterNow) => JSON.stringify([caseId, variant, repeat, metric, purpose, rater]);
const hasUnsaved = () => review.unsaved.labels || review.unsaved.accepted;

function readReview() {
  try {
    raterNow = localStorage.getItem(RATER_KEY) ?? "";
    const kept = JSON.parse(localStorage.getItem(REVIEW_KEY) ?? "{}");
    for (const part of ["marks", "accepted", "passed"]) review[part] = new Map(kept[part] ?? []);
    review.unsaved = { labels: kept.unsaved?.labels === true, accepted: kept.unsaved?.accepted === true };
  } catch (error) {
    // A browser may refuse to store for files; what is no JSON is not ours.
    keptInBrowser = error instanceof SyntaxError;
  }
  reviewedCases = null;
}

function keepReview() {
  const { marks, accepted, passed, unsaved } = review;
  reviewedCases = null;
  try {
    localStorage.setItem(REVIEW_KEY, JSON.stringify({ marks: [...marks], accepted: [...accepted], passed: [...passed], unsaved }));
    localStorage.setItem(RATER_KEY, raterNow);
    keptInBrowser = true;
  } catch { keptInBrowser = false; }
}

// Puts values into a part of the review (null takes one out) as one step that can be undone. `joins` makes it a part of
// the step before: typing a comment is one step.
function record(part, values, joins = "") {
  const step = { part, joins, before: values.map(([key]) => [key, review[part].get(key) ?? null]) };
  const last = changesMade[changesMade.length - 1];
  if (!joins || last?.joins !== joins) changesMade.push(step);
  if (changesMade.length > UNDO_STEPS) changesMade.shift();
  put(part, values);
}

function put(part, values) {
  for (const [key, value] of values) if (value === null) review[part].delete(key); else review[part].set(key, value);
  review.unsaved[part === "accepted" ? "accepted" : "labels"] = true;
  keepReview();
}

// Takes back the last step; gives the id of its case, or null where there is none.
function takeBack() {
  const step = changesMade.pop();
  if (!step) return null;
  put(step.part, step.before);
  return step.part === "accepted" ? step.before[0][0] : JSON.parse(step.before[0][0])[0];
}

// The name is given to what was marked before anybody asked for it; what another person marked keeps their name.
function nameRater(name) {
  for (const [key, mark] of [...review.marks]) {
    const parts = JSON.parse(key);
    if (parts[5] === "" && name) { review.marks.delete(key); review.marks.set(JSON.stringify([...parts.slice(0, 5), name]), mark); }
  }
  for (const [id, said] of review.accepted) if (!said.by) review.accepted.set(id, { ...said, by: name });
  raterNow = name;
  changesMade.length = 0;
  keepReview();
}

// By case id whether it has marks, and whether one says otherwise than the grader: of this browser, and of the run file.
function reviewed() {
  if (reviewedCases) return reviewedCases;
  reviewedCases = new Map(index.labelled.map(([place, doubts]) => [cases[place].id, { doubts: doubts === 1 }]));
  for (const [key, mark] of review.marks) {
    const [id, , , , purpose] = JSON.parse(key);
    if (mark.label === null || purpose !== "review") continue;
    reviewedCases.set(id, { doubts: mark.doubts === true || reviewedCases.get(id)?.doubts === true });
  }
  return reviewedCases;
}

function passesReview(entry, wanted) {
  if (wanted === "accepted") return review.accepted.has(entry.id);
  const said = reviewed().get(entry.id);
  return wanted === "unmarked" ? !said : wanted === "marked" ? !!said : said?.doubts === true;
}

function reviewCounts() {
  const counts = { marked: 0, blind: 0, comments: 0, accepted: review.accepted.size };
  for (const [key, mark] of review.marks) {
    if (mark.label === null) counts.comments += 1;
    else if (JSON.parse(key)[4] === "review") counts.marked += 1;
    else counts.blind += 1;
  }
  return counts;
}
