// Marking answers right or wrong, commenting on them, accepting cases.

const UNMEASURED = new Set(["api_error", "missing", "not_needed"]);
const markable = index.metrics.map((metric, place) => place).filter((place) => !index.metrics[place].pairwise);
const mustPass = new Set(index.must_pass);
let chosenMetric = -1;
let reviewing = true;

const isMarkable = (answer) => reviewing && index.markable && markable.length > 0 && !!answer && !UNMEASURED.has(answer.outcome);
const answerHash = (answer) => sha256(answer.text || answer.refusal || "");
const onScale = (metric, value) => { const [low, high] = index.marking[metric][0]; return low + value * (high - low); };

// Whether a label passes, in the terms in which the importer reads it: true, a number of the scale that passes, else full marks.
function passesLabel(metric, label) {
  if (typeof label === "boolean") return label;
  const [scale, levels] = index.marking[metric];
  const level = levels.find(([number]) => number === label);
  return level ? level[1] === 1 : label >= scale[1];
}

// The label that "right" (or "wrong") means: of a scale only where one number alone passes (or fails), else undefined.
function labelMeant(metric, right) {
  const [scale, levels] = index.marking[metric];
  if (!scale) return right;
  if (!levels.length) return right ? scale[1] : undefined;
  const meant = levels.filter(([, passes]) => (passes === 1) === right);
  return meant.length === 1 ? meant[0][0] : undefined;
}

// The metric by which answers are marked: the one chosen, else the filter's, else the one through which the case changed.
function metricToMark(entry) {
  const wanted = [chosenMetric, metricNumber(), ...changesOf(entry).map(({ lens }) => lens.metric), ...activeLenses().map((lens) => lens.metric)];
  return wanted.find((metric) => markable.includes(metric)) ?? markable[0];
}

const told = (label) => typeof label === "boolean" ? (label ? "right" : "wrong") : `${label}`;

const graded = (metric, answer) => answer.scores.find((score) => score[0] === metric && score[2] !== null);
const doubts = (metric, label, answer) => { const score = graded(metric, answer); return !!score && passesLabel(metric, label) !== score[2]; };

function agreement(metric, label, answer) {
  const score = graded(metric, answer);
  if (!score) return "no grader marked it";
  const level = index.marking[metric][0] ? ` (${Number(onScale(metric, score[1]).toFixed(2))})` : "";
  return doubts(metric, label, answer) ? `the grader says that it ${score[2] ? "passes" : "fails"}${level}` : `as the grader says${level}`;
}

// The footer of an answer: marks by the metric in view, the comment, and what others said.
function marking(entry, side, answer, at) {
  if (!isMarkable(answer)) return null;
  const element = make("div", { class: "marking", role: "group", "aria-label": `Review of the answer of ${index.variants[side].name}` });
  element.subject = { entry, side, answer, at };
  fillMarking(element);
  return element;
}

function fillMarking(element) {
  const { entry, side, answer } = element.subject, metric = metricToMark(entry);
  const key = markKey(entry.id, index.variants[side].name, answer.repeat, index.metrics[metric].name), mark = review.marks.get(key);
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  const label = mark?.label ?? null, open = element.commenting || mark?.comment;
  element.replaceChildren(
    make("span", { class: "key" }, "Review"), ...labelControls(element, metric, label),
    make("button", { type: "button", class: "plain", "data-focus": "comment-button", "aria-expanded": String(!!open), title: "c", on: { click: () => commentOn(element) } }, "comment"),
    label === null ? "" : make("span", { class: doubts(metric, label, answer) ? "agreement doubted" : "agreement" }, agreement(metric, label, answer)),
    open ? commentField(element, key, mark) : "", othersSaid(entry, side, answer));
  if (focused) element.querySelector(`[data-focus="${focused}"]`)?.focus({ preventScroll: true });
}

// The metric by which both answers are marked, where there are several.
function metricChoice(entry) {
  if (!reviewing || !index.markable || markable.length < 2) return null;
  const metric = metricToMark(entry);
  return make("label", { class: "mark-by" }, "review by ", make("select", { "aria-label": "Metric to review by", on: { change: (event) => { chosenMetric = Number(event.target.value); refreshMarkings(); } } },
    markable.map((place) => make("option", { value: place, selected: place === metric }, index.metrics[place].name))));
}

function labelControls(element, metric, label) {
  const [scale, levels] = index.marking[metric];
  const choice = (value, text, key) => make("button", {
    type: "button", class: "plain", "data-focus": text, title: key, "aria-pressed": String(label === value), on: { click: () => setLabel(element, label === value ? null : value) },
  }, text);
  if (!scale) return [choice(true, "right", "r"), choice(false, "wrong", "w")];
  if (levels.length && levels.length <= 11) return levels.map(([number]) => choice(number, `${number}`, null));
  return [make("input", {
    type: "number", class: "on-scale", "data-focus": "number", min: scale[0], max: scale[1], step: "any", value: label, "aria-label": `${index.metrics[metric].name}, ${scale[0]} to ${scale[1]}`,
    on: { change: (event) => setNumber(element, metric, event.target) },
  })];
}

function setNumber(element, metric, field) {
  const [[low, high], levels] = index.marking[metric], number = field.valueAsNumber;
  const fits = levels.length ? levels.some(([level]) => level === number) : number >= low && number <= high;
  if (field.value === "") setLabel(element, null);
  else if (fits) setLabel(element, number);
  else tell(`${index.metrics[metric].name} is a number ${levels.length ? `among ${levels.map(([level]) => level).join(", ")}` : `from ${low} to ${high}`}`);
}

const subjectKey = ({ entry, side, answer }) => markKey(entry.id, index.variants[side].name, answer.repeat, index.metrics[metricToMark(entry)].name);

function setLabel(element, label) {
  const { entry, answer } = element.subject, metric = metricToMark(entry), key = subjectKey(element.subject), comment = review.marks.get(key)?.comment ?? "";
  record("marks", [[key, label === null && !comment ? null : markOf(answer, label, comment, label !== null && doubts(metric, label, answer))]]);
  tell(label === null ? "mark taken back" : `${index.metrics[metric].name}: ${told(label)}, ${agreement(metric, label, answer)}`);
  refreshMarkings();
}

const markOf = (answer, label, comment, doubted) => ({ answer: answerHash(answer), label, comment, labelled_at: now(), doubts: doubted });
const now = () => `${new Date().toISOString().slice(0, 19)}+00:00`;

function commentOn(element) {
  element.commenting = true;
  fillMarking(element);
  element.querySelector(".comment").focus();
}

function commentField(element, key, mark) {
  const { answer } = element.subject;
  const write = (event) => {
    const before = review.marks.get(key), comment = event.target.value, label = before?.label ?? null;
    record("marks", [[key, label === null && !comment ? null : { ...(before ?? markOf(answer, null, "", false)), comment }]], `comment ${key}`);
    refreshReviewBar();
  };
  return make("input", { type: "text", class: "comment", "data-focus": "comment", "aria-label": "Comment on the answer", placeholder: "why", value: mark?.comment ?? "", on: { input: write, keydown: leaveOnEnter } });
}

function leaveOnEnter(event) { if (event.key === "Enter") event.target.blur(); }

// What others said of the answer: in the run file, and in this browser under another name.
function othersSaid(entry, side, answer) {
  const own = new Set(), said = [];
  for (const [key, mark] of review.marks) {
    const [id, variant, repeat, metric, purpose, rater] = JSON.parse(key);
    if (id !== entry.id || variant !== index.variants[side].name || repeat !== answer.repeat || mark.label === null) continue;
    const place = index.metrics.findIndex((each) => each.name === metric);
    own.add(JSON.stringify([place, mark.label, purpose, rater]));
    if (rater !== raterNow || purpose !== "review") said.push([place, mark.label, null, purpose, rater, mark.comment]);
  }
  for (const one of answer.labels ?? []) if (!own.has(JSON.stringify([one[0], one[1], one[3], one[4]]))) said.push(one);
  return said.length ? make("ul", { class: "others" }, said.map(([metric, label, , purpose, rater, comment]) => make("li", {},
    make("span", { class: "muted" }, shown(`${rater || "somebody"}${purpose === "calibration" ? ", blind" : ""}`), ": "), shown(`${index.metrics[metric]?.name ?? "?"} ${told(label)}`), comment ? [" – ", ...shown(comment)] : ""))) : "";
}

// ------------------------------------------------------------------------------------------------------ accepted cases

// The metrics by which a case newly fails, whatever the filters leave.
function failingMetrics(entry) {
  const failing = lenses.filter((lens, place) => lens.compared && lens.baseline >= 0 && groupOfCode.get(entry.states[place])?.name === "newly_failing");
  const before = acceptedBefore(entry).map(([, metric]) => metric);
  return [...new Set(failing.map((lens) => index.metrics[lens.metric].name))].filter((metric) => !before.includes(metric));
}

// What the suite's acceptances say of a case already: [case, metric, by, until, why].
const acceptedBefore = (entry) => (index.accepted ?? []).filter(([id]) => id === entry.id);

function acceptedSaid(entry) {
  const said = acceptedBefore(entry);
  return said.length ? make("ul", { class: "others" }, said.map(([, metric, by, until, why]) => make("li", {},
    make("span", { class: "muted" }, `accepted on ${metric} until ${until} by `, ...shown(by), ": "), shown(why)))) : null;
}

function acceptance(entry) {
  if (!reviewing || !failingMetrics(entry).length) return null;
  if (mustPass.has(entry.place)) return make("span", { class: "muted", title: "must-pass cases cannot be accepted" }, "must pass: not to be accepted");
  return make("button", { type: "button", class: "plain accept", title: "a", "aria-pressed": String(review.accepted.has(entry.id)), on: { click: () => accept(entry) } }, review.accepted.has(entry.id) ? "accepted" : "accept");
}

function acceptedWhy(entry) {
  const said = review.accepted.get(entry.id);
  if (!said) return null;
  const write = (event) => { record("accepted", [[entry.id, { ...said, why: event.target.value }]], `why ${entry.id}`); refreshReviewBar(); };
  return make("label", { class: "accepted-why" }, make("span", { class: "muted" }, "accepted because"),
    make("input", { type: "text", class: "why", "aria-label": "Why the case is accepted", value: said.why, on: { input: write, keydown: leaveOnEnter } }));
}

async function accept(entry) {
  const before = review.accepted.get(entry.id);
  record("accepted", [[entry.id, before ? null : { metrics: failingMetrics(entry), why: commentsOn(entry), by: raterNow, hash: details[entry.place]?.hash }]]);
  tell(before ? "no longer accepted" : `accepted: ${failingMetrics(entry).join(", ")}`);
  refreshReviewBar();
  drawRows();
  await drawCase();
  if (!before) caseElement.querySelector(".why")?.focus(); else caseElement.querySelector(".accept")?.focus();
}

// A comment on one of its answers is why a case is accepted, until another reason is written.
function commentsOn(entry) {
  const said = [...review.marks].filter(([key, mark]) => mark.comment && JSON.parse(key)[0] === entry.id && JSON.parse(key)[5] === raterNow);
  return said.map(([, mark]) => mark.comment).join("; ");
}

// ----------------------------------------------------------------------------------------------------------- bar and keys

// In the list: a case that is accepted, or marked, as the graders have it or otherwise.
function reviewSign(entry) {
  const said = reviewed().get(entry.id), accepted = review.accepted.has(entry.id);
  if (!said && !accepted) return null;
  const words = [accepted && "accepted", said && (said.doubts ? "marked otherwise than graded" : "marked")].filter(Boolean).join(", ");
  return make("span", { class: said?.doubts ? "reviewed doubted" : "reviewed", title: words, role: "img", "aria-label": words }, accepted ? "✓" : "✎");
}

function reviewSentence() {
  const { marked, blind, comments, accepted } = reviewCounts();
  const parts = [marked && `${number(marked)} marked`, comments && `${number(comments)} only commented`, accepted && `${number(accepted)} accepted`, blind && `${number(blind)} labelled blind`].filter(Boolean);
  if (!parts.length && !index.markable) return "answers are not shown here, so they cannot be marked";
  if (!parts.length) return hasUnsaved() ? "nothing marked" : "nothing marked yet";
  return parts.join(", ") + (hasUnsaved() ? ", not exported since" : ", exported") + (keptInBrowser ? "" : "; this browser keeps nothing: export before you leave");
}

function refreshReviewBar() {
  if (!reviewing) return;
  document.getElementById("review-count").textContent = reviewSentence();
  for (const id of ["who", "rater"]) document.getElementById(id).value = raterNow;
}

function refreshMarkings() {
  for (const element of caseElement.querySelectorAll(".marking")) fillMarking(element);
  refreshReviewBar();
  drawRows();
}

function tell(text) { document.getElementById("review-said").textContent = text; }

// The answer that keys mark: the right one, or with shift the left one.
const keyedMarking = (left) => [...caseElement.querySelectorAll(".marking")].find((element) => (element.subject.at === 0) === left)
  ?? (left ? null : caseElement.querySelector(".marking"));

function markByKey(right, left) {
  const element = keyedMarking(left);
  if (!element) return;
  const label = labelMeant(metricToMark(element.subject.entry), right);
  if (label === undefined) {
    tell("say how much on the scale");
    element.querySelector("input.on-scale, button[aria-pressed]")?.focus();
  } else setLabel(element, label);
}

async function undo() {
  const id = takeBack();
  tell(id === null ? "nothing to undo" : "taken back");
  if (id === null) return;
  refreshMarkings();
  if (id === state.case) await drawCase();
}

const REVIEW_KEYS = {
  r: () => markByKey(true, false), R: () => markByKey(true, true), w: () => markByKey(false, false), W: () => markByKey(false, true),
  c: () => { const element = keyedMarking(false); if (element) commentOn(element); }, C: () => { const element = keyedMarking(true); if (element) commentOn(element); },
  a: () => { const button = caseElement.querySelector(".accept"); if (button) button.click(); else if (caseElement.querySelector(".case-head")) tell("this case cannot be accepted"); }, u: undo,
};

function startReview() {
  reviewing = !!document.getElementById("review-files");  // a workspace's template may leave the block out
  for (const bar of document.querySelectorAll(".review-bar")) bar.hidden = !reviewing;
  if (!reviewing) return;
  readReview();
  refreshReviewBar();
  document.getElementById("who").addEventListener("change", (event) => { nameRater(event.target.value.trim()); refreshMarkings(); });
  window.addEventListener("storage", (event) => { if (event.key === REVIEW_KEY || event.key === RATER_KEY) { readReview(); changesMade.length = 0; refreshMarkings(); } });
  window.addEventListener("beforeunload", (event) => { if (!keptInBrowser && hasUnsaved()) event.preventDefault(); });
  startReviewFiles();
  startLabelling();
}
