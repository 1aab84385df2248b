// The repeats of a case: k of n for each metric and variant, each repeat reachable, and which gave the same answer.

function repeatsTable(detail, columns) {
  if (index.repeats < 2) return "";
  const answered = columns.filter(({ side }) => side !== EXPECTED);
  const all = answered.map(({ side }) => Array.from({ length: index.repeats }, (_, repeat) => answerOf(detail, side, repeat)));
  const metrics = [...new Set(all.flat().flatMap((answer) => (answer?.scores ?? []).map((score) => score[0])))];
  const rows = metrics.map((metric) => make("tr", {}, make("th", { scope: "row" }, shown(index.metrics[metric]?.name ?? "?")),
    answered.map((column, at) => repeatCell(columns, columns.indexOf(column), metric, all[at]))));
  rows.push(make("tr", {}, make("th", { scope: "row" }, "answers"), all.map((answers) => make("td", {}, shown(sameAnswers(answers))))));
  return table("Repeats", answered, rows);
}

function repeatCell(columns, at, metric, answers) {
  const scores = answers.map((answer) => answer?.scores.find((score) => score[0] === metric) ?? null);
  const graded = scores.filter((score) => score && score[2] !== null);
  return make("td", {}, make("span", { class: "of" }, countedPasses(metric, graded, scores)), make("span", { class: "dots" }, scores.map((score, repeat) => repeatDot(columns, at, metric, score, repeat))));
}

// How many of the repeats pass; of those without a score it is said that they have none.
function countedPasses(metric, graded, scores) {
  const without = scores.length - graded.length, rest = without ? `, ${number(without)} without a score` : "";
  if (index.metrics[metric]?.pairwise) {
    const wins = graded.filter((score) => score[1] > 0.5).length, losses = graded.filter((score) => score[1] < 0.5).length;
    return `wins ${wins}, ties ${graded.length - wins - losses}, loses ${losses}${rest}`;
  }
  if (graded.length && !isMarked(metric)) return `mean ${scoreMeaning(metric, graded.reduce((sum, score) => sum + score[1], 0) / graded.length, true)}${rest}`;
  return graded.length ? `passes ${graded.filter((score) => score[2]).length} of ${graded.length}${rest}` : "not graded";
}

function repeatDot(columns, at, metric, score, repeat) {
  const plain = score && score[2] !== null && !isMarked(metric);
  const sign = !score ? "–" : score[2] === null ? "!" : plain ? scoreMeaning(metric, score[1], true).split(" ")[0] : score[2] ? "✓" : "✗";
  const meaning = !score ? "no score" : scoreMeaning(metric, score[1], score[2]);
  return make("button", {
    type: "button", class: `plain dot ${!score || score[2] === null || plain ? "ungraded" : score[2] ? "passes" : "fails"}`, "data-at": `dot-${at}-${metric}-${repeat}`,
    "aria-pressed": String(columns[at].repeat === repeat), "aria-label": `repeat ${repeat + 1}: ${meaning}`, title: `repeat ${repeat + 1}: ${meaning}`,
    on: { click: () => showColumns(withColumn(columns, at, { repeat })) },
  }, sign);
}

// Which repeats gave the same answer: "repeats 1 and 3 gave the same answer".
function sameAnswers(answers) {
  const alike = new Map();
  answers.forEach((answer, repeat) => {
    const key = answer && answer.outcome !== "missing" && !answer.failure ? JSON.stringify([spoken(answer), (answer.steps ?? []).map(([, calls]) => calls)]) : null;
    if (key !== null) alike.set(key, [...(alike.get(key) ?? []), repeat + 1]);
  });
  const answered = [...alike.values()].reduce((sum, repeats) => sum + repeats.length, 0), several = [...alike.values()].filter((repeats) => repeats.length > 1);
  if (answered < 2) return answered ? "one answer only" : "no answer";
  if (alike.size === 1) return answered === answers.length ? `all ${answered} are the same` : `the ${answered} that came are the same`;
  return several.length ? several.map((repeats) => `repeats ${repeats.slice(0, -1).join(", ")} and ${repeats[repeats.length - 1]} gave the same answer`).join("; ") : "all differ";
}
