// The answers to a case: side by side, with what came before them and how the graders marked them.

const answerOf = (detail, variant, repeat) => detail.answers.find((answer) => answer.variant === variant && answer.repeat === repeat);

function spoken(answer) {
  const tools = (answer.tools ?? []).map(([name, given]) => `${name}(${given})`);
  return [answer.text, answer.refusal, ...tools].filter(Boolean).join("\n");
}

// The columns of a case, marked by how they differ from the first.
function answersBeside(detail, columns) {
  const saids = columns.map((column) => saidBy(detail, column));
  const comparison = compareColumns(saids), traced = saids.some(({ answer }) => answer?.steps);
  return make("div", { class: "answers" },
    make("div", { class: "tools" },
      make("span", { class: "muted note", role: "status" }, comparison.notes.join(" ")), metricChoice(currentEntry()),
      repeatButtons(columns), columns.length > 1 ? modeButtons(comparison.modes, comparison.mode) : null, addChoice(columns, detail)),
    comparison.above,
    make("div", { class: "beside" }, saids.map((said, at) => answerColumn(said, { columns, at, traced, body: comparison.bodies[at], rows: comparison.rows }))));
}

function answerColumn(said, place) {
  const { columns, at } = place, { answer } = said, expected = said.column.side === EXPECTED;
  const card = make("section", { class: expected ? "answer expectation" : "answer", "aria-label": said.title },
    make("header", {}, sideChoice(columns, at), repeatChoice(columns, at), columns.length > 2 && !at ? make("span", { class: "muted", title: "the others are compared with it" }, "reference") : null, expected ? null : byline(said), removeButton(columns, at)),
    saidAll(said, place),
    expected ? make("footer", {}, "from the dataset") : answerFoot(said, at));
  if (place.rows) card.style.gridRow = `span ${place.rows + Number(place.traced) + 2}`;
  return card;
}

function byline({ column: { side }, answer }) {
  const variant = index.variants[side], label = answer ? index.sources[answer.source] ?? null : null;
  return [variant.baseline ? make("span", { class: "muted" }, "baseline") : null, label ? make("span", { class: "label" }, label) : null,
    ...variant.badges.map((badge) => make("span", { class: "way" }, shown(badge)))];
}

// The answer with what came before it. Where lines of JSON stand on a level, each is a row of the columns' common grid.
function saidAll(said, { body, rows, traced }) {
  const expected = said.column.side === EXPECTED, steps = said.answer?.steps ? trace(said.answer) : null;
  const content = body ?? (expected ? said.given ? long("pre", said.text) : make("p", { class: "none" }, "This case has no expected value.") : answerBody(said.answer));
  if (!rows) return make("div", { class: "said-all" }, steps, content);
  const all = make("div", { class: "said-all levelled" }, traced ? steps ?? make("div", {}) : null, content);
  all.style.gridRow = `span ${rows + Number(traced)}`;
  content.style.gridRow = `span ${rows}`;
  return all;
}

function answerFoot({ column: { side }, answer }, at) {
  return make("footer", {}, (answer?.scores ?? []).map((score) => scoreMark(score)), answer && answer.outcome !== "ok" ? make("span", { class: "outcome", title: answer.detail ?? null }, word(answer.outcome)) : null,
    answer?.steps ? make("span", {}, `${number(answer.steps.length + 1)} requests`) : null,
    answer?.latency !== undefined ? make("span", {}, seconds(answer.latency)) : null,
    answer?.first !== undefined ? make("span", {}, `first token ${seconds(answer.first)}`) : null,
    answer?.tokens ? make("span", {}, `${number(answer.tokens[2])} tokens`) : null,
    marking(currentEntry(), side, answer, at));
}

// What came before the last answer: each request's text and tool calls, and what it was answered with.
function trace(answer) {
  const calls = (each) => each.map(([name, given]) => make("pre", { class: "call" }, make("span", { class: "muted" }, "calls "), shown(`${name}(${given})`)));
  return make("ol", { class: "trace", "aria-label": "steps before the answer" }, answer.steps.map(([text, made, results, said]) => make("li", {},
    text ? long("pre", text) : null, calls(made),
    results.map(([name, output, matched, failed]) => make("div", { class: failed ? "result failed" : "result" },
      make("span", { class: "muted", title: matched || null }, shown(`${name} ${failed ? "fails with" : "returns"}`)), long("pre", output))),
    said.map(([role, each]) => make("div", { class: "turn" }, make("span", { class: "muted" }, shown(role)), long("pre", each))))));
}

function answerBody(answer) {
  if (!answer || answer.outcome === "missing") return make("p", { class: "none" }, "This call was never answered.");
  if (answer.failure) return make("p", { class: "none" }, shown(answer.failure));
  const text = spoken(answer);
  if (answer.detail && !text) return make("p", { class: "none" }, shown(answer.detail));
  if (!text) return make("p", { class: "none" }, "The answer is empty.");
  return long("pre", text);
}

// Whether answers pass or fail on a metric: on a scale without `pass_at` they are better or worse.
const isMarked = (metric) => !index.metrics[metric]?.unmarked;

// A value on its metric's own scale: `4 of 5`; empty where that is from 0 to 1.
function levelInWords(metric, value) {
  const scale = index.metrics[metric]?.scale;
  if (!scale || value === null) return "";
  const [low, high] = scale, level = Number((low + value * (high - low)).toFixed(2));
  return low === 0 || low === 1 ? `${level} of ${high}` : `${level} (${low} to ${high})`;
}

// What a score means in a word.
function scoreMeaning(metric, value, passed) {
  if (passed === null) return "not graded";
  if (!isMarked(metric)) return levelInWords(metric, value) || value.toFixed(3);
  if (index.metrics[metric]?.pairwise) return value > 0.5 ? "wins" : value < 0.5 ? "loses" : "ties";
  return passed ? "passes" : "fails";
}

// A sign and the metric's name; with `spell`, a sign and what it means.
function scoreMark([metric, value, passed, reason], spell = false) {
  const meaning = scoreMeaning(metric, value, passed), name = index.metrics[metric]?.name ?? "?", level = levelInWords(metric, value);
  if (passed !== null && !isMarked(metric)) return make("span", { class: "level" }, spell ? meaning : shown(`${name} ${meaning}`), passed || reason === "wrong" ? "" : ` (${word(reason)})`);
  const sign = passed === null ? "!" : passed ? "✓" : "✗";
  return make("span", { class: passed === null ? "ungraded" : passed ? "passes" : "fails", title: meaning }, `${sign} `,
    spell ? meaning : shown(name), level && ` ${level}`, passed || reason === "wrong" ? "" : ` (${word(reason)})`);
}
