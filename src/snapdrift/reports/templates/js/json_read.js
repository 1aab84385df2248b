// JSON as an answer wrote it: numbers keep their spelling, members their order, and a name that is written twice is there
// twice. (`JSON.parse` would say that 1.10 is 1.1, round large integers, and drop the first of two equal names.)

const JSON_LONGEST = 200000;
const JSON_DEEPEST = 60;
const JSON_MOST = 4000;
const LONE_FENCE = /^\s*(`{3,}|~{3,})[^\n`]*\n([\s\S]*?)\n?\1\s*$/;
const JSON_NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const JSON_WORD = /true|false|null|NaN|-?Infinity/y;
const JSON_STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const JSON_BLANK = /[ \t\r\n]*/y;

class JsonReader {
  constructor(text) { this.text = text; this.at = 0; this.count = 0; }

  take(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at += found[0].length;
    return found ? found[0] : null;
  }

  // Passes over blanks, then whether `sign` follows; it is taken.
  sign(sign) {
    this.take(JSON_BLANK);
    if (this.text[this.at] !== sign) return false;
    this.at += 1;
    return true;
  }

  value(depth) {
    this.count += 1;
    if (depth > JSON_DEEPEST || this.count > JSON_MOST) throw new RangeError(depth > JSON_DEEPEST ? "nested too deep" : "too large");
    if (this.sign("{")) return this.members(depth);
    if (this.sign("[")) return this.items(depth);
    const string = this.take(JSON_STRING);
    if (string !== null) return { kind: "string", text: JSON.parse(string) };
    const word = this.take(JSON_WORD);
    if (word !== null) return { kind: "word", text: word };
    const number = this.take(JSON_NUMBER);
    if (number) return { kind: "number", text: number };
    throw new SyntaxError("not JSON");
  }

  members(depth) {
    const members = [];
    while (!this.sign("}")) {
      if (members.length && !this.sign(",")) throw new SyntaxError("not JSON");
      this.take(JSON_BLANK);
      const name = this.take(JSON_STRING);
      if (name === null || !this.sign(":")) throw new SyntaxError("not JSON");
      members.push({ name: JSON.parse(name), value: this.value(depth + 1) });
    }
    return { kind: "object", members };
  }

  items(depth) {
    const items = [];
    while (!this.sign("]")) {
      if (items.length && !this.sign(",")) throw new SyntaxError("not JSON");
      items.push(this.value(depth + 1));
    }
    return { kind: "array", items };
  }
}

// `{value, fenced, problem}` of a text: its JSON value, also where one code fence is all that is around it. `value` is null
// where the text is none; `problem` says then why one that begins like JSON is not looked into.
function readJson(text) {
  if (!/^\s*[{["`~\-\dtfnNI]/.test(text.slice(0, 1000))) return { value: null, fenced: false, problem: "" };
  if (text.length > JSON_LONGEST) return { value: null, fenced: false, problem: /^\s*[{[`]/.test(text.slice(0, 1000)) ? "too large" : "" };
  const fence = LONE_FENCE.exec(text), reader = new JsonReader(fence ? fence[2] : text);
  try {
    const value = reader.value(0);
    reader.take(JSON_BLANK);
    return reader.at === reader.text.length ? { value, fenced: Boolean(fence), problem: "" } : { value: null, fenced: false, problem: "" };
  } catch (error) {
    return { value: null, fenced: false, problem: error instanceof RangeError ? error.message : "" };
  }
}

const isContainer = (value) => value !== null && (value.kind === "object" || value.kind === "array");

// A text that two values share exactly when they are the same: the order of members counts for nothing, the spelling of
// numbers does.
function signature(value) {
  if (value.kind === "array") value.signature ??= `[${value.items.map(signature).join(",")}]`;
  else if (value.kind === "object") value.signature ??= `{${value.members.map(({ name, value: inner }) => `${JSON.stringify(name)}:${signature(inner)}`).sort().join(",")}}`;
  else return value.kind === "string" ? JSON.stringify(value.text) : value.text;
  return value.signature;
}

// Members under keys that tell them apart where a name is written twice: `[["1:total", member], ["2:total", member]]`.
function namedMembers(object) {
  const seen = new Map();
  return object.members.map((member) => {
    const times = (seen.get(member.name) ?? 0) + 1;
    seen.set(member.name, times);
    return [`${times}:${member.name}`, { ...member, times }];
  });
}

// The digits and the exponent of a number, by which two spellings of one number are the same (1.10 and 1.1, 1e2 and 100).
function numberOf(text) {
  const [, sign, whole, part = "", exponent = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  const digits = (whole + part).replace(/^0+/, ""), kept = digits.replace(/0+$/, "");
  return kept ? `${sign}${kept}e${BigInt(exponent) - BigInt(part.length) + BigInt(digits.length - kept.length)}` : "0";
}

// A value in few words: a scalar as it is written, a container by what it holds.
function inShort(value, most = 80) {
  if (value.kind === "object") return value.members.length ? `{${value.members.length} member${value.members.length === 1 ? "" : "s"}}` : "{}";
  if (value.kind === "array") return value.items.length ? `[${value.items.length} item${value.items.length === 1 ? "" : "s"}]` : "[]";
  const text = value.kind === "string" ? JSON.stringify(value.text) : value.text;
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
