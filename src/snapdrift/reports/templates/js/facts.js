// Tables of a case: its scores, and what its calls took. A column for each variant that is shown, at its repeat.

function table(caption, columns, rows) {
  if (!rows.length) return "";
  const names = columns.map((column) => column.repeat !== columns[0].repeat || columns.filter(({ side }) => side === column.side).length > 1 ? `${titleOf(column)}, repeat ${column.repeat + 1}` : titleOf(column));
  const heads = names.map((name) => make("th", { scope: "col" }, shown(name)));
  return make("div", { class: "scroll" }, make("table", { class: "pairwise" }, caption ? make("caption", {}, caption) : null,
    make("thead", {}, make("tr", {}, make("td", {}), heads)), make("tbody", {}, rows)));
}

// What fails or differs comes first; what passes everywhere alike is folded where there is much of it. What a grader
// extracted is told once for each answer, however many metrics it gives.
const FOLDED_FROM = 4;

function scoresTable(detail, columns, open) {
  const answered = columns.filter(({ side }) => side !== EXPECTED);
  const answers = answered.map(({ side, repeat }) => answerOf(detail, side, repeat));
  const metrics = [...new Set(answers.flatMap((answer) => (answer?.scores ?? []).map((score) => score[0])))];
  const scoresOf = (metric) => answers.map((answer) => answer?.scores.find((score) => score[0] === metric) ?? null);
  const passing = new Set(metrics.filter((metric) => !index.metrics[metric]?.judge && isMarked(metric) && scoresOf(metric).every((score, _, all) => score?.[2] && score[1] === all[0]?.[1])));
  const ordered = [...metrics.filter((metric) => !passing.has(metric)), ...passing];
  const firstOf = new Map([...ordered].reverse().map((metric) => [index.metrics[metric]?.grader, metric])), told = new Set();
  const rows = ordered.map((metric) => make("tr", {}, make("th", { scope: "row" }, named(index.metrics[metric]?.name ?? "?"), index.metrics[metric]?.judge ? make("span", { class: "label" }, shown(index.metrics[metric].judge)) : null),
    scoresOf(metric).map((score, at) => scoreCell(score, toldOnce(told, score, at),
      () => firstOf.get(index.metrics[metric]?.grader) === metric ? judgesAnswers(detail, answers[at], score, answered[at]) : null))));
  if (passing.size < FOLDED_FROM) return table("Scores", answered, rows);
  const first = ordered.length - passing.size, where = { 1: "", 2: " on both" }[answered.length] ?? " on all";
  return make("div", {}, table("Scores", answered, rows.slice(0, first)), make("details", { class: "passing", open },
    make("summary", {}, first ? null : "Scores: ", `${number(passing.size)} pass${where}`), table("", answered, rows.slice(first))));
}

// Whether a score's extraction is yet to be told of the answer in this column.
function toldOnce(told, score, at) {
  const key = JSON.stringify([at, index.metrics[score?.[0]]?.grader, score?.[5], score?.[6]]), fresh = !told.has(key);
  told.add(key);
  return fresh;
}

// A name that may go on in a new line after a dot or an underscore, so that no word of it is cut.
const named = (name) => name.split(/(?<=[._])(?=\w)/).flatMap((part, at) => [at ? make("wbr") : "", ...shown(part)]);

function scoreCell(score, fresh, judged) {
  if (!score) return make("td", { class: "muted" }, "–");
  const [, value, , reason, detail, extracted, alternative, evidence] = score;
  const graded = value !== null && !levelInWords(score[0], value) && isMarked(score[0]) && value !== 0 && value !== 1 ? ` ${value.toFixed(3)}` : "";
  return make("td", {}, scoreMark(score, true), graded, " ", reason === "passed" || (reason === "wrong" && !isMarked(score[0])) ? null : make("span", { class: "code-of", title: "reason code" }, reason),
    detail ? cutText("span", "under", detail, 2000) : null,
    extracted === null || !fresh ? null : make("span", { class: "under" }, "extracted ", make("code", {}, shown(extracted.slice(0, 500))), alternative ? ` by alternative ${alternative + 1}` : ""),
    evidence.filter((each) => !detail.endsWith(each)).map((each) => cutText("span", "under", String(each), 2000)), judged(score));
}

// Text that is cut at `most` characters, with a button that shows the rest.
function cutText(tag, kind, text, most) {
  const element = make(tag, { class: kind }, shown(text.slice(0, most)));
  if (text.length > most) element.append(make("button", { type: "button", class: "plain", on: { click: () => element.replaceChildren(...shown(text)) } }, `… all ${number(text.length)} characters`));
  return element;
}

const tokensInWords = ([input, cached, output, reasoning]) => `${number(input)} in${cached ? ` (${number(cached)} cached)` : ""}, ${number(output)} out${reasoning ? ` (${number(reasoning)} reasoning)` : ""}`;
const dollars = (usd) => `$${usd.toFixed(6)}`;

function factsTable(detail, columns) {
  const answered = columns.filter(({ side }) => side !== EXPECTED);
  const answers = answered.map(({ side, repeat }) => answerOf(detail, side, repeat) ?? { outcome: "missing" });
  const kinds = [
    ["outcome", (a) => word(a.outcome) + (a.detail ? `: ${a.detail}` : "")], ["finish reason", (a) => a.finish],
    ["returned model", (a) => a.returned && (a.returned === a.requested ? a.returned : `${a.returned} (asked for ${a.requested})`)], ["request id", (a) => a.request_id],
    ["requests", (a) => a.steps ? number(a.steps.length + 1) : null],
    ["latency", (a) => a.latency === undefined ? null : seconds(a.latency)],
    ["first token", (a) => a.first === undefined ? null : seconds(a.first) + (a.rate === undefined ? "" : `, then ${a.rate} tokens/s`)],
    ["tokens", (a) => a.tokens && tokensInWords(a.tokens)],
    ["cost", (a) => a.usd === undefined ? null : `${dollars(a.usd)}${a.batched ? " (by batch, half price)" : ""}`],
    ["reused", (a) => a.reused === undefined ? null : `from run ${a.reused[0]}, received ${a.reused[1]}`],
    ["price", (a) => a.price === undefined ? null : index.prices[a.price]],
    ["judges", (a) => a.judged ? judgesCost(detail, a) : null], ["service tier", (a) => a.tier],
    ["attempts", (a) => a.attempts > 1 ? number(a.attempts) : null], ["finished", (a) => a.finished], ["source", (a) => a.source],
  ];
  const rows = kinds.map(([name, read]) => [name, answers.map((answer) => read(answer) ?? null)]).filter(([, values]) => values.some((value) => value !== null));
  const cell = (name, value) => value === null ? "–" : name === "request id" ? [make("code", {}, shown(value)), copyButton("copy", () => value, `copy request id ${value}`)] : shown(value);
  return table("Calls", answered, rows.map(([name, values]) => make("tr", {}, make("th", { scope: "row" }, name), values.map((value) => make("td", {}, cell(name, value))))));
}
