// Tables of a case: its scores, and what its calls took.

function table(caption, sides, rows) {
  if (!rows.length) return "";
  const heads = sides.map((side) => make("th", { scope: "col" }, shown(index.variants[side].name)));
  return make("div", { class: "scroll" }, make("table", { class: "pairwise" }, make("caption", {}, caption),
    make("thead", {}, make("tr", {}, make("td", {}), heads)), make("tbody", {}, rows)));
}

function scoresTable(detail, { left, right }, repeat) {
  const sides = [left, right].filter((side) => side >= 0);
  const answers = sides.map((side) => answerOf(detail, side, repeat));
  const metrics = [...new Set(answers.flatMap((answer) => (answer?.scores ?? []).map((score) => score[0])))];
  return table("Scores", sides, metrics.map((metric) => make("tr", {}, make("th", { scope: "row" }, shown(index.metrics[metric]?.name ?? "?"), index.metrics[metric]?.judge ? make("span", { class: "label" }, shown(index.metrics[metric].judge)) : null),
    answers.map((answer) => scoreCell(answer?.scores.find((score) => score[0] === metric))))));
}

function scoreCell(score) {
  if (!score) return make("td", { class: "muted" }, "–");
  const [, value, , , detail, extracted, alternative, evidence] = score;
  const graded = value !== null && value !== 0 && value !== 1 ? ` ${value.toFixed(3)}` : "";
  return make("td", {}, scoreMark(score, true), graded,
    detail ? make("span", { class: "under" }, shown(detail.slice(0, 2000))) : null,
    extracted === null ? null : make("span", { class: "under" }, "extracted ", make("code", {}, shown(extracted.slice(0, 500))), alternative ? ` by alternative ${alternative + 1}` : ""),
    evidence.filter((each) => each !== detail).map((each) => make("span", { class: "under" }, shown(String(each).slice(0, 2000)))));
}

function factsTable(detail, { left, right }, repeat) {
  const sides = [left, right].filter((side) => side >= 0);
  const answers = sides.map((side) => answerOf(detail, side, repeat) ?? { outcome: "missing" });
  const kinds = [
    ["outcome", (a) => word(a.outcome) + (a.finish ? `, ${a.finish}` : "") + (a.detail ? `: ${a.detail}` : "")],
    ["returned model", (a) => a.returned], ["request id", (a) => a.request_id],
    ["requests", (a) => a.steps ? number(a.steps.length + 1) : null],
    ["latency", (a) => a.latency === undefined ? null : seconds(a.latency)],
    ["first token", (a) => a.first === undefined ? null : seconds(a.first) + (a.rate === undefined ? "" : `, then ${a.rate} tokens/s`)],
    ["tokens", (a) => a.tokens && `${number(a.tokens[0])} in${a.tokens[1] ? ` (${number(a.tokens[1])} cached)` : ""}, ${number(a.tokens[2])} out${a.tokens[3] ? ` (${number(a.tokens[3])} reasoning)` : ""}`],
    ["cost", (a) => a.usd === undefined ? null : `$${a.usd.toFixed(6)}${a.batched ? " (by batch, half price)" : ""}`], ["service tier", (a) => a.tier],
    ["attempts", (a) => a.attempts > 1 ? number(a.attempts) : null], ["finished", (a) => a.finished], ["source", (a) => a.source],
  ];
  const rows = kinds.map(([name, read]) => [name, answers.map((answer) => read(answer) ?? null)]).filter(([, values]) => values.some((value) => value !== null));
  return table("Calls", sides, rows.map(([name, values]) => make("tr", {}, make("th", { scope: "row" }, name), values.map((value) => make("td", {}, value === null ? "–" : shown(value))))));
}
