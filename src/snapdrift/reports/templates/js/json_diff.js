// What is different between two JSON values, as rows that stand side by side and as a list of changed paths.
//
// Members are compared by name, so that their order is no difference (but is said). Items of arrays are aligned by their
// content: equal ones first, then those that are most alike. A row is `{left, right, state, path}`; its pieces are lines
// `{depth, head, body, tail, runs}`, either of them null where the other side has nothing there.

const MOST_PAIRS = 10000;
const SAME = "same", CHANGED = "changed", ONLY_LEFT = "left", ONLY_RIGHT = "right";

class JsonDiff {
  constructor() {
    this.rows = [];
    this.changes = [];
    this.reordered = [];
  }

  // Adds the rows of two values at one place. `marks` are `{head, tail}` of the line, for each side.
  pair(left, right, path, depth, leftMarks, rightMarks) {
    if (left.kind === right.kind && isContainer(left)) { this.containers(left, right, path, depth, leftMarks, rightMarks); return; }
    const same = signature(left) === signature(right);
    if (!same) this.changes.push({ state: CHANGED, path, left: inShort(left), right: inShort(right), note: changeNote(left, right) });
    const leftLines = linesOf(left, depth, leftMarks), rightLines = linesOf(right, depth, rightMarks), state = same ? SAME : CHANGED;
    const runs = !same && left.kind === "string" && right.kind === "string" ? stringRuns(left, right) : null;
    for (let at = 0; at < Math.max(leftLines.length, rightLines.length); at += 1) {
      const row = { left: leftLines[at] ?? null, right: rightLines[at] ?? null, state, path };
      if (runs) { row.left.runs = runs.left; row.right.runs = runs.right; }
      this.rows.push(row);
    }
  }

  containers(left, right, path, depth, leftMarks, rightMarks) {
    const [open, close] = left.kind === "object" ? "{}" : "[]";
    const children = left.kind === "object" ? this.members(left, right, path) : this.items(left, right, path);
    if (!children.length) {
      this.rows.push({ left: { depth, ...leftMarks, body: open + close }, right: { depth, ...rightMarks, body: open + close }, state: SAME, path });
      return;
    }
    this.rows.push({ left: { depth, head: leftMarks.head, body: open, tail: "" }, right: { depth, head: rightMarks.head, body: open, tail: "" }, state: SAME, path });
    const last = { left: children.findLastIndex((child) => child.left), right: children.findLastIndex((child) => child.right) };
    children.forEach((child, at) => {
      const marks = (side) => ({ head: child.head, tail: at < last[side] ? "," : "" });
      if (child.left && child.right) this.pair(child.left, child.right, child.path, depth + 1, marks("left"), marks("right"));
      else this.alone(child, depth + 1, child.left ? marks("left") : marks("right"));
    });
    this.rows.push({ left: { depth, head: "", body: close, tail: leftMarks.tail }, right: { depth, head: "", body: close, tail: rightMarks.tail }, state: SAME, path });
  }

  alone(child, depth, marks) {
    const state = child.left ? ONLY_LEFT : ONLY_RIGHT, value = child.left ?? child.right;
    if (!child.silent) this.changes.push({ state: child.moved ? "moved" : state, path: child.path, left: inShort(value), right: child.moved ?? "", note: "" });
    for (const line of linesOf(value, depth, marks)) this.rows.push({ left: child.left ? line : null, right: child.left ? null : line, state, path: child.path, moved: child.moved });
  }

  members(left, right, path) {
    const lefts = new Map(namedMembers(left)), rights = new Map(namedMembers(right)), children = [];
    const common = [...lefts.keys()].filter((key) => rights.has(key)), order = [...rights.keys()].filter((key) => lefts.has(key));
    if (common.some((key, at) => key !== order[at])) this.reordered.push(path);
    for (const [key, member] of lefts) children.push(memberChild(key, member, rights.get(key), path));
    let after = 0;
    for (const [key, member] of rights) {
      if (lefts.has(key)) after = children.findIndex((child) => child.key === key) + 1;
      else { children.splice(after, 0, memberChild(key, null, member, path)); after += 1; }
    }
    return children;
  }

  items(left, right, path) {
    const pairs = alignedItems(left.items, right.items);
    const children = pairs.map(([a, b]) => {
      const place = a === null ? b : b === null || a === b ? a : `${a} → ${b}`;
      return { left: a === null ? null : left.items[a], right: b === null ? null : right.items[b], head: "", path: `${path}[${place}]`, at: b ?? a };
    });
    markMoved(children);
    return children;
  }
}

function memberChild(key, left, right, path) {
  const { name, times } = left ?? right;
  const twice = times > 1 ? ` (no. ${times} of this name)` : "";
  return { key, left: left?.value ?? null, right: right?.value ?? null, head: `${JSON.stringify(name)}: `, path: pathOf(path, name) + twice };
}

const pathOf = (path, name) => /^[\p{L}_][\p{L}\p{N}_]*$/u.test(name) ? path ? `${path}.${name}` : name : `${path}[${JSON.stringify(name)}]`;

// An item that only one side has at a place, and the other has the same at another, moved.
function markMoved(children) {
  const waiting = new Map();
  for (const child of children) if (child.left && !child.right) waiting.set(signature(child.left), [...(waiting.get(signature(child.left)) ?? []), child]);
  for (const child of children) {
    const from = child.left ? null : waiting.get(signature(child.right))?.shift();
    if (from) { child.moved = `from ${from.path}`; child.silent = true; from.moved = `to ${child.path}`; }
  }
}

function changeNote(left, right) {
  if (left.kind === "number" && right.kind === "number" && numberOf(left.text) === numberOf(right.text)) return "the same number, written otherwise";
  const name = { string: "a text", number: "a number", object: "an object", array: "a list", word: "" };
  const [from, to] = [left, right].map((value) => value.kind === "word" ? value.text : name[value.kind]);
  return left.kind !== right.kind ? `${from} became ${to}` : "";
}

function stringRuns(left, right) {
  const [a, b] = [JSON.stringify(left.text), JSON.stringify(right.text)];
  return Math.max(a.length, b.length) > LONG ? null : wordDiff(a, b);
}

// A value as it is printed, a line for each scalar and each bracket.
function linesOf(value, depth, { head, tail }) {
  const children = value.kind === "object" ? value.members.map(({ name, value: inner }) => [`${JSON.stringify(name)}: `, inner]) : value.kind === "array" ? value.items.map((item) => ["", item]) : [];
  if (!children.length) return [{ depth, head, body: isContainer(value) ? value.kind === "object" ? "{}" : "[]" : value.kind === "string" ? JSON.stringify(value.text) : value.text, tail }];
  const [open, close] = value.kind === "object" ? "{}" : "[]";
  return [
    { depth, head, body: open, tail: "" },
    ...children.flatMap(([name, inner], at) => linesOf(inner, depth + 1, { head: name, tail: at < children.length - 1 ? "," : "" })),
    { depth, head: "", body: close, tail },
  ];
}

// ----------------------------------------------------------------------------------------------------------- alignment

// Pairs of places `[left, right]` of two lists of values, in order; null where the other list has no match.
function alignedItems(left, right) {
  const a = left.map(signature), b = right.map(signature);
  let start = 0, endA = a.length, endB = b.length;
  while (start < endA && start < endB && a[start] === b[start]) start += 1;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) { endA -= 1; endB -= 1; }
  const middle = (endA - start) * (endB - start) <= MOST_PAIRS ? alignedByLikeness(left, right, start, endA, endB) : alignedByEquality(a, b, start, endA, endB);
  const head = Array.from({ length: start }, (_, at) => [at, at]), tail = Array.from({ length: a.length - endA }, (_, at) => [endA + at, endB + at]);
  return [...head, ...middle, ...tail];
}

// The alignment with the most likeness in all (Needleman and Wunsch, 1970, without a cost of gaps).
function alignedByLikeness(left, right, start, endA, endB) {
  return bestAlignment(endA - start, endB - start, (i, j) => likeness(left[start + i], right[start + j])).map(([i, j]) => [i === null ? null : start + i, j === null ? null : start + j]);
}

function bestAlignment(n, m, worth) {
  const width = m + 1, best = new Float64Array((n + 1) * width), gain = new Float64Array(n * m);
  for (let i = n - 1; i >= 0; i -= 1) {
    for (let j = m - 1; j >= 0; j -= 1) {
      gain[i * m + j] = worth(i, j);
      const paired = gain[i * m + j] > 0 ? gain[i * m + j] + best[(i + 1) * width + j + 1] : 0;
      best[i * width + j] = Math.max(paired, best[(i + 1) * width + j], best[i * width + j + 1]);
    }
  }
  const pairs = [];
  let i = 0, j = 0;
  while (i < n && j < m) {
    if (gain[i * m + j] > 0 && best[i * width + j] === gain[i * m + j] + best[(i + 1) * width + j + 1]) pairs.push([i++, j++]);
    else if (best[i * width + j] === best[(i + 1) * width + j]) pairs.push([i++, null]);
    else pairs.push([null, j++]);
  }
  while (i < n) pairs.push([i++, null]);
  while (j < m) pairs.push([null, j++]);
  return pairs;
}

// How alike two values are, from 0 (never paired) over a trace (two scalars) to 2 (equal).
function likeness(left, right) {
  if (signature(left) === signature(right)) return 2;
  if (isContainer(left) !== isContainer(right)) return 0;
  if (!isContainer(left)) return left.kind === right.kind ? 0.1 : 0.05;
  if (left.kind !== right.kind) return 0;
  const a = bagOf(left), b = bagOf(right), known = left.kind === "object" ? share(left.names, right.names) : 0;
  return 0.05 + 0.2 * known + share(a, b);
}

// The members or items of a container as a set of signatures; kept, as each is compared with many.
function bagOf(value) {
  if (value.kind === "object") value.names ??= new Set(value.members.map(({ name }) => name));
  value.bag ??= new Set(value.kind === "array" ? value.items.map(signature) : value.members.map(({ name, value: inner }) => `${JSON.stringify(name)}:${signature(inner)}`));
  return value.bag;
}

function share(a, b) {
  let common = 0;
  for (const each of a) common += b.has(each);
  return common / Math.max(a.size, b.size, 1);
}

// Of long lists: equal items by the word diff's way, and what is between them in pairs.
function alignedByEquality(a, b, start, endA, endB) {
  const keptA = new Uint8Array(a.length), keptB = new Uint8Array(b.length), pairs = [];
  markCommon(a, b, start, endA, endB, keptA, keptB);
  let i = start, j = start;
  while (i < endA || j < endB) {
    const freeA = i < endA && !keptA[i], freeB = j < endB && !keptB[j];
    if (freeA || freeB) pairs.push([freeA ? i++ : null, freeB ? j++ : null]);
    else pairs.push([i++, j++]);
  }
  return pairs;
}

function jsonDiff(left, right) {
  const diff = new JsonDiff(), bare = { head: "", tail: "" };
  diff.pair(left, right, "", 0, bare, bare);
  return diff;
}

// One changed path in words: `lines[2].total: 1.10 → 1.1 (the same number, written otherwise)`.
function changeInWords({ state, path, left, right, note }, leftTitle, rightTitle) {
  const where = path || "the whole answer";
  if (state === CHANGED) return `${where}: ${left} → ${right}${note ? ` (${note})` : ""}`;
  if (state === "moved") return `${where}: moved ${right}: ${left}`;
  return `${where}: only in ${state === ONLY_LEFT ? leftTitle : rightTitle}: ${left}`;
}
