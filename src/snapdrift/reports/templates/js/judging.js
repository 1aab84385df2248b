// What judges said of an answer: their verdicts with the reasons, folded under the score that was made of them.

// The replies of a grader's judges: `[{need, reply}]`. `need` is what the verdict was for, of graders that ask several.
function repliesOf(detail, answer, grader) {
  return (answer?.judged ?? []).filter(([by]) => by === grader).map(([, need, place]) => ({ need, reply: detail.judges[place] }));
}

function judgesAnswers(detail, answer, score, column) {
  const replies = repliesOf(detail, answer, index.metrics[score[0]]?.grader);
  if (!replies.length) return null;
  const facts = score[8] ?? {}, kind = `judged-${score[0]}-${column.side}`, many = replies.length > 1;
  return make("details", { class: "judged", "data-judged": kind, open: openJudged.has(kind), on: { toggle: ({ currentTarget }) => { if (currentTarget.open) openJudged.add(kind); else openJudged.delete(kind); } } },
    make("summary", {}, many ? `the judge's ${number(replies.length)} answers` : "the judge's answer"),
    replies.map(({ need, reply }) => make("div", { class: "reply" }, many || need ? make("h4", {}, shown(needInWords(need, facts))) : null, verdictShown(reply, facts), replyFacts(reply))));
}

const openJudged = new Set();

// `2` is a vote; `1.forward` the first baseline, whose answer is shown first.
function needInWords(need, facts) {
  const [, place, order] = /^(\d+)\.(forward|backward)$/.exec(need) ?? [];
  if (!order) return /^\d+$/.test(need) ? `vote ${need}` : need || "verdict";
  const baseline = Object.keys(facts.against ?? {})[Number(place) - 1] ?? `baseline ${place}`;
  return `against ${baseline}, ${order === "forward" ? "the baseline's answer first" : "the candidate's answer first"}`;
}

// A verdict as a person reads it: the word and the reason, one for each criterion where there are several; else the text.
function verdictShown(reply, facts) {
  if (reply.failure) return make("p", { class: "none" }, shown(reply.failure));
  const { value } = readJson(reply.text ?? "");
  const lone = value?.kind === "object" ? verdictOf(value) : null;
  if (lone) return verdictLine(null, lone, null);
  const several = value?.kind === "object" && value.members.length ? value.members.map(({ name, value: inner }) => [name, inner.kind === "object" ? verdictOf(inner) : null]) : [];
  if (!several.length || several.some(([, each]) => !each)) return long("pre", (reply.text ?? reply.refusal) || "The judge's answer is empty.");
  return make("ul", { class: "criteria" }, several.map(([name, each]) => {
    const item = facts.items?.[Number(/^c(\d+)$/.exec(name)?.[1]) - 1];
    return make("li", {}, verdictLine(item?.item ?? name, each, item ? each.verdict === item.wished : null));
  }));
}

function verdictOf(object) {
  const texts = new Map(object.members.filter(({ value }) => value.kind === "string").map(({ name, value }) => [name, value.text]));
  return texts.has("verdict") ? { verdict: texts.get("verdict"), reason: texts.get("reason") ?? "" } : null;
}

function verdictLine(item, { verdict: said, reason }, wished) {
  return make("div", {}, item === null ? null : make("span", { class: "line" }, shown(item)),
    make("b", { class: wished === false ? "fails" : wished ? "passes" : "" }, wished === null ? "" : wished ? "✓ " : "✗ ", shown(said)), reason ? ": " : null, shown(reason));
}

function replyFacts(reply) {
  const facts = [reply.outcome === "ok" ? null : word(reply.outcome), reply.returned ?? reply.requested, index.sources[reply.source], reply.tokens && `${tokensInWords(reply.tokens)} tokens`, reply.usd === undefined ? null : dollars(reply.usd),
    reply.latency === undefined ? null : seconds(reply.latency), reply.request_id];
  return make("span", { class: "under" }, shown(facts.filter(Boolean).join(" · ")));
}

// What the judges of an answer took, all graders together.
function judgesCost(detail, answer) {
  const replies = answer.judged.filter(([, , , isShared]) => !isShared).map(([, , place]) => detail.judges[place]), shared = answer.judged.length - replies.length;
  const rest = shared ? `${number(shared)} asked about an equal answer` : "";
  if (!replies.length) return rest;
  const known = replies.filter(({ usd }) => usd !== undefined), tokens = replies.reduce((sum, reply) => reply.tokens ? sum.map((each, at) => each + reply.tokens[at]) : sum, [0, 0, 0, 0]);
  const cost = known.length ? `${dollars(known.reduce((sum, { usd }) => sum + usd, 0))}${known.length < replies.length ? ` for ${known.length} of them` : ""}` : "at no known price";
  return `${number(replies.length)} ${replies.length === 1 ? "answer" : "answers"}, ${cost}, ${tokensInWords(tokens)} tokens${rest && `; ${rest}`}`;
}
