// The answers to a case: side by side, with what came before them and how the graders marked them.

const answerOf = (detail, variant, repeat) => detail.answers.find((answer) => answer.variant === variant && answer.repeat === repeat);

function spoken(answer) {
  const tools = (answer.tools ?? []).map(([name, given]) => `${name}(${given})`);
  return [answer.text, answer.refusal, ...tools].filter(Boolean).join("\n");
}

function answersBeside(entry, detail, sides, repeat) {
  const chosen = [sides.left, sides.right].filter((side) => side >= 0).map((side) => ({ side, answer: answerOf(detail, side, repeat) }));
  const texts = chosen.map(({ answer }) => answer ? spoken(answer) : "");
  const markable = diffing && !index.redacted.includes("answer") && texts.length === 2 && texts[0] && texts[1] && texts[0] !== texts[1] && Math.max(texts[0].length, texts[1].length) <= LONG;
  const diff = markable ? wordDiff(texts[0], texts[1]) : null;
  const note = texts.length < 2 || chosen.some(({ answer }) => !answer || answer.failure) ? "" : texts[0] === texts[1] ? "The two answers are the same." : diff && !diff.complete ? "The answers differ too much to mark single words." : index.redacted.includes("answer") ? "The two answers differ." : !diff && diffing && texts[0] && texts[1] ? "The answers are too long to mark single words." : "";
  return make("div", { class: "answers" },
    make("div", { class: "tools" },
      index.repeats > 1 ? repeatButtons(repeat) : null,
      make("span", { class: "muted" }, note), metricChoice(entry),
      make("button", { type: "button", class: "plain", "aria-pressed": String(diffing), title: "d", on: { click: toggleDiff } }, "mark differing words")),
    make("div", { class: "beside" }, chosen.map(({ side, answer }, at) => answerCard(detail, side, answer, at, diff?.[at ? "right" : "left"]))));
}

function toggleDiff() { diffing = !diffing; drawCase(); }

function repeatButtons(repeat) {
  return make("span", { class: "repeats", role: "group", "aria-label": "repeat" }, "repeat ", Array.from({ length: index.repeats }, (_, each) =>
    make("button", { type: "button", class: "plain", "aria-pressed": String(each === repeat), on: { click: () => { change({ repeat: each ? String(each) : "" }, "click"); drawCase(); } } }, each + 1)));
}

function answerCard(detail, side, answer, at, marked) {
  const variant = index.variants[side], key = at ? "right" : "left";
  const choice = make("select", {
    "aria-label": at ? "Variant on the right" : "Variant on the left",
    on: { change: (event) => { change({ [key]: event.target.value }, "click"); drawCase(); } },
  }, index.variants.map((each) => make("option", { value: each.name, selected: each === variant }, each.name)));
  const label = answer ? index.sources[answer.source] ?? null : null;
  return make("section", { class: "answer", "aria-label": variant.name },
    make("header", {}, choice, variant.baseline ? make("span", { class: "muted" }, "baseline") : null, label ? make("span", { class: "label" }, label) : null,
      variant.badges.map((badge) => make("span", { class: "way" }, shown(badge)))),
    make("div", { class: "said-all" }, answer?.steps ? trace(answer) : null, answerBody(answer, marked)),
    make("footer", {}, (answer?.scores ?? []).map((score) => scoreMark(score)), answer && answer.outcome !== "ok" ? make("span", { class: "outcome", title: answer.detail ?? null }, word(answer.outcome)) : null,
      answer?.steps ? make("span", {}, `${number(answer.steps.length + 1)} requests`) : null,
      answer?.latency !== undefined ? make("span", {}, seconds(answer.latency)) : null,
      answer?.first !== undefined ? make("span", {}, `first token ${seconds(answer.first)}`) : null,
      answer?.tokens ? make("span", {}, `${number(answer.tokens[2])} tokens`) : null,
      marking(currentEntry(), side, answer, at)));
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

function answerBody(answer, marked) {
  if (!answer || answer.outcome === "missing") return make("p", { class: "none" }, "This call was never answered.");
  if (answer.failure) return make("p", { class: "none" }, shown(answer.failure));
  const text = spoken(answer);
  if (answer.detail && !text) return make("p", { class: "none" }, shown(answer.detail));
  if (!text) return make("p", { class: "none" }, "The answer is empty.");
  if (!marked) return long("pre", text);
  return long("pre", text, marked.flatMap(([same, run]) => same ? shown(run) : [make("mark", {}, shown(run))]));
}

// A sign and the metric's name; with `spell`, a sign and what it means.
function scoreMark([metric, value, passed, reason], spell = false) {
  const preferred = value > 0.5 ? "wins" : value < 0.5 ? "loses" : "ties";
  const judged = index.metrics[metric]?.pairwise ? preferred : passed ? "passes" : "fails";
  const meaning = passed === null ? "not graded" : judged;
  const sign = passed === null ? "!" : passed ? "✓" : "✗";
  return make("span", { class: passed === null ? "ungraded" : passed ? "passes" : "fails", title: meaning }, `${sign} `,
    spell ? meaning : shown(index.metrics[metric]?.name ?? "?"), passed || reason === "wrong" ? "" : ` (${word(reason)})`);
}
