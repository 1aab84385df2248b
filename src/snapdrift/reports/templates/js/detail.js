// One case: what was asked, what was expected, answers side by side, and what the graders said.

const caseElement = document.getElementById("case");
const LONG = 20000;
let drawn = 0;

// Characters that act instead of showing (controls, bidirectional overrides, lone surrogates) are spelled out.
const ACTING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|[\ud800-\udfff]/gu;

// What looks like nothing or like a space: spelled out too where it is what differs, but for what joins emoji to one.
const UNSEEN = new RegExp(`${ACTING.source}|[\\u00a0\\u00ad\\u2007\\u202f\\u200c]|(?<![\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\ufe0f])\\u200d`, "gu");

function shown(text, acting = ACTING) {
  const pieces = [];
  let from = 0;
  for (const match of String(text).matchAll(acting)) {
    if (match.index > from) pieces.push(document.createTextNode(text.slice(from, match.index)));
    const code = match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    pieces.push(make("span", { class: "acting", title: "a character that does not show" }, `U+${code}`));
    from = match.index + match[0].length;
  }
  if (from < text.length) pieces.push(document.createTextNode(text.slice(from)));
  return pieces;
}

const marked = (text) => make("mark", {}, shown(text, UNSEEN));
const number = (value) => value.toLocaleString("en-US");
const seconds = (ms) => ms < 100 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`;

function select(entry, kind) {
  change({ case: entry.id, ...leavingCase() }, kind);
  drawRows();
  bringIntoSight(rowOf(entry.id));
  drawCase();
}

const currentEntry = () => caseById.get(state.case) ?? null;

async function drawCase() {
  const entry = currentEntry(), turn = ++drawn;
  if (!entry) {
    caseElement.replaceChildren(make("p", { class: "none" }, nobody()));
    return;
  }
  if (elsewhere) { drawElsewhere(entry); return; }
  const detail = await loadDetail(entry.place);
  if (turn !== drawn) return;
  const columns = columnsOf(entry), open = (kind) => caseElement.querySelector(`details.${kind}`)?.open ?? false;
  const focused = caseElement.contains(document.activeElement) ? document.activeElement.dataset.at : null;
  caseElement.replaceChildren(caseHead(entry), asked(detail, columns, { prompt: open("prompt"), tools: open("tool-definitions"), expected: open("expected") }), answersBeside(detail, columns),
    whyMoved(entry, columns), callsTable(detail, columns), repeatsTable(detail, columns), scoresTable(detail, columns, open("passing")), factsTable(detail, columns), rerun(entry));
  if (focused) caseElement.querySelector(`[data-at="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

const nameOfLens = (lens) => index.metrics[lens.metric].name + (manyCandidates ? ` (${index.variants[lens.candidate].name})` : "");

function caseHead(entry) {
  const changes = changesOf(entry), active = activeLenses(), group = groupThrough(entry, active) ?? unchanged;
  const said = groups.slice(0, 2).map((kind) => {
    const through = changes.filter((each) => each.group === kind).map(({ lens }) => lens);
    return [[through.filter(({ metric }) => isMarked(metric)), kind.rank ? "newly passes" : "newly fails"], [through.filter(({ metric }) => !isMarked(metric)), kind.rank ? "better" : "worse"]]
      .map(([some, verb]) => some.length ? make("span", { class: `said ${kind.name}` }, `${kind.shape} ${verb}: `, shown(some.map(nameOfLens).join(", "))) : null);
  }).flat().filter(Boolean);
  const row = shownRows[rowOf(entry.id)], peers = shownGroups.find((each) => each.group === row?.group)?.entries.length;
  return make("header", { class: "case-head" },
    make("h3", {}, shown(entry.id)),
    said.length ? said : make("span", { class: `said ${group.name}` }, `${group.shape} ${group.word}`),
    entry.tags.map((tag) => make("span", { class: "tag" }, shown(tag))),
    make("span", { class: "walk" },
      make("button", { type: "button", class: "plain", title: "previous (k)", "aria-label": "previous case", on: { click: () => step(-1) } }, "‹"),
      make("span", { class: "place" }, row ? `${number(row.number + 1)} of ${number(peers)}` : "not in this list"),
      make("button", { type: "button", class: "plain", title: "next (j)", "aria-label": "next case", on: { click: () => step(1) } }, "›"),
      acceptance(entry), copyButton("copy link", () => location.href)),
    acceptedSaid(entry), acceptedWhy(entry));
}

// What moved the case between the two answers shown, one line for each thing that is to be said of it.
function whyMoved(entry, columns) {
  const there = (variant) => columns.some(({ side }) => side === variant);
  const said = new Map();
  const broken = new Set(entry.causes.filter(([, cause]) => causes[cause].code === "broken").map(([lens]) => lens));
  for (const [number, place] of entry.causes) {
    const lens = lenses[number], cause = causes[place], metric = index.metrics[lens.metric];
    if (!there(lens.baseline) || !there(lens.candidate) || (broken.has(number) && cause.code.endsWith("+"))) continue;
    const sentence = metric.graded ? cause.graded : cause.passing;
    said.set(sentence, [...(said.get(sentence) ?? []), columns.length > 2 ? `${metric.name} (${index.variants[lens.candidate].name})` : metric.name]);
  }
  return said.size ? make("div", { class: "why-moved" }, make("span", { class: "key" }, "Why"),
    make("div", {}, [...said].map(([sentence, metrics]) => make("span", { class: "line" }, make("span", { class: "muted" }, shown(metrics.join(", ")), ": "), `${sentence}.`)))) : "";
}

const manyCandidates = new Set(lenses.map((lens) => lens.candidate)).size > 1;

// What was asked of the variants shown: their prompts once where they are the same.
function asked(detail, columns, open) {
  const variants = [...new Set(columns.map(({ side }) => side).filter((side) => side !== EXPECTED))];
  const prompts = variants.map((side) => detail.prompts[detail.prompt[side]] ?? null);
  const texts = prompts.map((prompt) => prompt?.text ?? null);
  const written = texts.filter((text) => text !== null), same = new Set(written).size < 2;
  const first = written[0] ?? detail.variables ?? "";
  const preview = prompts.find((prompt) => typeof prompt?.text === "string")?.said ?? inOneLine(first, 240);
  const body = same ? [long("pre", first)] : texts.flatMap((text, at) => text === null ? [] : [make("h4", {}, shown(index.variants[variants[at]].name)), long("pre", text)]);
  return make("div", { class: "asked" },
    make("details", { class: "prompt", open: open.prompt },
      make("summary", {}, make("span", { class: "key" }, texts.some(Boolean) ? (same ? "Prompt" : "Prompts") : "Case"), make("span", { class: "preview" }, shown(preview))), body),
    pictures(prompts), toolDefinitions(prompts, variants, open.tools),
    detail.expected === null ? null : expectedShown(detail.expected, open.expected));
}

const inOneLine = (text, most) => text.slice(0, 8 * most).replace(/\s+/g, " ").trim().slice(0, most);

// What was expected: whole where it is short, else its beginning, so that the answers stay in sight.
const GLANCE_LINES = 6, AT_A_GLANCE = 480;
function expectedShown(text, open) {
  const key = make("span", { class: "key" }, "Expected");
  if (text.length <= AT_A_GLANCE && text.split("\n").length <= GLANCE_LINES) return make("div", { class: "expected" }, key, long("pre", text));
  return make("details", { class: "expected", open }, make("summary", {}, key, make("span", { class: "preview lines" }, shown(inOneLine(text, 1200)))), long("pre", text));
}

// The images and files that either prompt holds. Only pictures that this page carries are shown: an address stays text.
function pictures(prompts) {
  const media = new Map(prompts.flatMap((prompt) => prompt?.media ?? []).map((each) => [JSON.stringify(each), each]));
  return media.size ? make("div", { class: "media" }, [...media.values()].map(mediaFigure)) : null;
}

function mediaFigure([kind, name, place, detail, size, small, note]) {
  const facts = [kind === "image" && detail ? `detail ${detail}` : "", size, note].filter(Boolean).join("; ");
  return make("figure", {},
    small < 0 ? null : make("img", { src: thumbnail(small), alt: name, decoding: "sync" }),
    make("figcaption", {}, make("span", { class: "line" }, kind === "file" ? "file " : "", shown(name)),
      place && place !== name ? make("span", { class: "under" }, shown(place)) : null, facts ? make("span", { class: "under" }, shown(facts)) : null));
}

function toolDefinitions(prompts, variants, open) {
  const texts = prompts.map((prompt) => prompt?.tools ?? "");
  if (!texts.some(Boolean)) return null;
  const given = prompts.flatMap((prompt, at) => prompt ? [at] : []), same = given.every((at) => texts[at] === texts[given[0]]);
  const names = [...new Set(texts.filter(Boolean).flatMap((text) => JSON.parse(text)).map((tool) => tool?.name ?? tool?.type ?? "tool"))];
  return make("details", { class: "tool-definitions", open },
    make("summary", {}, make("span", { class: "key" }, "Tools"), make("span", { class: "preview" }, shown(names.join(", ")))),
    same ? long("pre", texts[given[0]]) : given.flatMap((at) => [make("h4", {}, shown(index.variants[variants[at]].name)), long("pre", texts[at] || "none")]));
}

// Text in an element of its own; a long one is cut, with a button that shows the rest.
function long(tag, text, pieces = null) {
  const element = make(tag, { dir: "auto" });
  if (pieces) element.append(...pieces);
  else if (text.length <= LONG) element.append(...shown(text));
  else {
    const parts = partsOf(text), whole = () => parts.map((part) => make("span", { class: "part" }, shown(part)));
    element.append(...shown(parts[0]), make("button", {
      type: "button", class: "more", on: { click: () => element.replaceChildren(...whole()) },
    }, `… show all ${number(text.length)} characters`));
  }
  return element;
}

// A long text in parts, of which a browser lays out those in sight. They end with a line, else between words.
function partsOf(text) {
  const parts = [];
  for (let from = 0; from < text.length;) {
    const window = text.slice(from, from + LONG), last = Math.max(window.lastIndexOf("\n") + 1 || window.lastIndexOf(" ") + 1, 0);
    const fits = from + LONG >= text.length ? window.length : last > LONG / 2 ? last : window.length - Number(/[\ud800-\udbff]$/.test(window));
    parts.push(text.slice(from, from + fits));
    from += fits;
  }
  return parts;
}

// A shell takes a single-quoted text as it is.
const quoted = (text) => /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

// The command that asks this case again, of the variants that the run asked where those were not all.
function rerun(entry) {
  const variants = index.partial ? index.variants.map(({ name }) => ` --variant=${quoted(name)}`).join("") : "";
  const ref = index.ref ? ` --baseline-ref=${quoted(index.ref)}` : "";
  const command = `snapdrift run ${quoted(index.suite)} --gate ${quoted(index.gate)} --case=${quoted(entry.id)}${variants}${ref}${index.standin ? " --standin" : ""}`;
  return make("p", { class: "rerun" }, make("span", { class: "key" }, "Rerun"), make("code", {}, shown(command)), copyButton("copy", () => command));
}

function copyButton(word, text, label = null) {
  return make("button", { type: "button", class: "plain", "aria-label": label, on: { click: async (event) => {
    const button = event.currentTarget;
    try { await navigator.clipboard.writeText(text()); button.textContent = "copied"; } catch { button.textContent = "could not copy"; }
    setTimeout(() => { button.textContent = word; }, 1500);
  } } }, word);
}
