// The tool calls of answers beside those of the first: aligned by name and order, their arguments compared as JSON.

// All calls of an answer, over all its requests, in order: `[{name, given, json, request}]`.
function callsOf(answer) {
  const steps = answer?.steps ?? [];
  const made = [...steps.map(([, calls]) => calls), answer?.tools ?? []];
  return made.flatMap((calls, at) => calls.map(([name, given]) => ({ name, given, json: readJson(given), request: at + 1 })));
}

const sameCall = (a, b) => a.name === b.name && (a.given === b.given || (a.json.value !== null && b.json.value !== null && signature(a.json.value) === signature(b.json.value)));

// What became of each call of the first: `{found, moved}` by its place (null: it is missing), and by place what others have
// before it (`before[n]` for the end). Equal calls are aligned before calls of the same name with other arguments.
function alignCalls(left, right) {
  const worth = (i, j) => left[i].name !== right[j].name ? 0 : sameCall(left[i], right[j]) ? 3 : 1;
  const pairs = left.length * right.length <= MOST_PAIRS ? bestAlignment(left.length, right.length, worth) : inOrder(left, right);
  const found = new Array(left.length).fill(null), spare = [], before = Array.from({ length: left.length + 1 }, () => []);
  let place = 0;
  for (const [i, j] of pairs) {
    if (i === null) spare.push({ place, call: j });
    else { found[i] = j === null ? null : { call: j, moved: false }; place = i + 1; }
  }
  for (const one of spare) {
    const isLost = (alike) => left.findIndex((call, i) => found[i] === null && alike(call, right[one.call]));
    const equal = isLost(sameCall), lost = equal >= 0 ? equal : isLost((a, b) => a.name === b.name);
    if (lost >= 0) found[lost] = { call: one.call, moved: true };
    else before[one.place].push(one.call);
  }
  return { found, before };
}

const inOrder = (left, right) => Array.from({ length: Math.max(left.length, right.length) }, (_, at) =>
  at < Math.min(left.length, right.length) && left[at].name === right[at].name ? [[at, at]] : [[at < left.length ? at : null, null], [null, at < right.length ? at : null]].filter(([i, j]) => i !== null || j !== null)).flat();

// How a call stands to the one of the first answer, in words.
function callState(call, reference, moved, place) {
  if (!sameCall(call, reference)) return moved ? `moved, call ${place + 1} here, with other arguments` : "other arguments";
  return moved ? `the same, but moved: call ${place + 1} here` : call.given === reference.given ? "the same" : "the same, written otherwise";
}

function callsTable(detail, columns) {
  const answered = columns.filter(({ side }) => side !== EXPECTED);
  const calls = answered.map(({ side, repeat }) => callsOf(answerOf(detail, side, repeat)));
  if (areRedacted() || !calls.some((each) => each.length)) return "";
  const [first, ...others] = calls, aligned = others.map((each) => alignCalls(first, each)), rows = [];
  for (let at = 0; at <= first.length; at += 1) {
    const extra = Math.max(0, ...aligned.map(({ before }) => before[at].length));
    for (let number = 0; number < extra; number += 1) {
      rows.push(callRow("extra call", null, aligned.map(({ before }, place) => others[place][before[at][number]] ?? null), (call) => extraCell(call)));
    }
    if (at < first.length) rows.push(callRow(`call ${at + 1}`, first[at], aligned.map(({ found }) => found[at]), (match, place) => callCell(first[at], match, others[place])));
  }
  const counted = others.map((_, place) => countCalls(first, others[place], aligned[place]));
  const same = counted.every(({ changed }) => !changed);
  const said = others.length ? same ? "the same calls in the same order" : counted.map(({ words }, place) => others.length > 1 ? `${titleOf(answered[place + 1])}: ${words}` : words).join("; ") : `${first.length} in all`;
  const body = table("", answered, rows);
  return make("details", { class: "calls", open: others.length > 0 && !same }, make("summary", {}, make("span", { class: "key" }, "Tool calls"), make("span", { class: "preview" }, shown(said))), body);
}

function countCalls(left, right, { found, before }) {
  const count = { same: 0, "with other arguments": 0, moved: 0, missing: 0, extra: before.reduce((sum, each) => sum + each.length, 0) };
  found.forEach((match, at) => {
    if (!match) count.missing += 1;
    else if (match.moved) count.moved += 1;
    else count[sameCall(left[at], right[match.call]) ? "same" : "with other arguments"] += 1;
  });
  const words = Object.entries(count).filter(([, times]) => times).map(([kind, times]) => `${number(times)} ${kind}`);
  return { words: words.join(", ") || "no calls", changed: count.same < left.length || count.extra > 0 };
}

function callRow(head, reference, cells, draw) {
  return make("tr", {}, make("th", { scope: "row" }, head), make("td", {}, reference ? callText(reference) : make("span", { class: "muted" }, "–")), cells.map((cell, place) => draw(cell, place)));
}

function extraCell(call) {
  if (!call) return make("td", { class: "muted" }, "–");
  return make("td", {}, make("span", { class: "how" }, "only here"), callText(call, true));
}

function callCell(reference, match, calls) {
  if (!match) return make("td", {}, make("span", { class: "how" }, "missing"));
  const call = calls[match.call], how = callState(call, reference, match.moved, match.call);
  if (how.startsWith("the same")) return make("td", {}, make("span", { class: match.moved ? "how" : "muted" }, how), match.moved || call.given !== reference.given ? callText(call) : null);
  return make("td", {}, make("span", { class: "how" }, how), argumentChanges(reference, call), callText(call));
}

// Where the arguments of two calls differ: path by path where both are JSON, else that they are not.
function argumentChanges(reference, call) {
  if (reference.json.value === null || call.json.value === null) return null;
  const { changes } = jsonDiff(reference.json.value, call.json.value);
  return make("ul", {}, changes.slice(0, CHANGES_LISTED).map((change) => make("li", {}, make("code", {}, shown(changeInWords(change, "the first", "this")))) ),
    changes.length > CHANGES_LISTED ? make("li", { class: "muted" }, `${number(changes.length - CHANGES_LISTED)} more`) : null);
}

function callText(call, marked = false) {
  const text = `${call.name}(${call.given})`;
  const malformed = call.json.value?.kind === "object" ? null : make("span", { class: "outcome" }, call.json.problem ? `its arguments are ${call.json.problem}` : "its arguments are no JSON object");
  return make("div", { class: "call" }, malformed, marked ? long("pre", text, [make("mark", {}, shown(text.slice(0, LONG)))]) : long("pre", text));
}
