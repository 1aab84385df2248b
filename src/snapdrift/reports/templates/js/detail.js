// One case: what was asked, what was expected, two answers side by side, and what the graders said.

const caseElement = document.getElementById("case");
const LONG = 20000;
let diffing = true;
let drawn = 0;

// Characters that act instead of showing (controls, bidirectional overrides, lone surrogates) are spelled out.
const ACTING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|[\ud800-\udfff]/gu;

function shown(text) {
  const pieces = [];
  let from = 0;
  for (const match of String(text).matchAll(ACTING)) {
    if (match.index > from) pieces.push(document.createTextNode(text.slice(from, match.index)));
    const code = match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    pieces.push(make("span", { class: "acting", title: "a character that does not show" }, `U+${code}`));
    from = match.index + match[0].length;
  }
  if (from < text.length) pieces.push(document.createTextNode(text.slice(from)));
  return pieces;
}

const number = (value) => value.toLocaleString("en-US");
const seconds = (ms) => ms < 100 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`;

function select(entry, kind) {
  change({ case: entry.id, left: "", right: "", repeat: "" }, kind);
  drawRows();
  bringIntoSight(rowOf(entry.id));
  drawCase();
}

const currentEntry = () => caseById.get(state.case) ?? null;

// Which two variants stand side by side: those chosen, else those between which the case changed.
function chosenSides(entry) {
  const lens = changesOf(entry)[0]?.lens ?? activeLenses().find((each) => /[^u-]/.test(entry.states[each.number])) ?? activeLenses()[0];
  const left = variantNumber(state.left), right = variantNumber(state.right);
  const baseline = left >= 0 ? left : (lens?.baseline ?? -1) >= 0 ? lens.baseline : 0;
  const candidate = right >= 0 ? right : lens && lens.candidate !== baseline ? lens.candidate : index.variants.length > 1 ? Number(baseline === 0) : -1;
  return { left: baseline, right: candidate };
}

async function drawCase() {
  const entry = currentEntry(), turn = ++drawn;
  if (!entry) {
    caseElement.replaceChildren(make("p", { class: "none" }, nobody()));
    return;
  }
  if (elsewhere) { drawElsewhere(entry); return; }
  const detail = await loadDetail(entry.place);
  if (turn !== drawn) return;
  const sides = chosenSides(entry), repeat = Math.min(Number(state.repeat) || 0, index.repeats - 1);
  const open = (kind) => caseElement.querySelector(`details.${kind}`)?.open ?? false;
  caseElement.replaceChildren(caseHead(entry), asked(detail, sides, { prompt: open("prompt"), tools: open("tool-definitions") }), answersBeside(entry, detail, sides, repeat), whyMoved(entry, sides), scoresTable(detail, sides, repeat), factsTable(detail, sides, repeat), rerun(entry));
}

function caseHead(entry) {
  const changes = changesOf(entry), active = activeLenses(), group = groupThrough(entry, active) ?? unchanged;
  const said = groups.slice(0, 2).map((kind) => {
    const metrics = changes.filter((each) => each.group === kind).map(({ lens }) => index.metrics[lens.metric].name + (manyCandidates ? ` (${index.variants[lens.candidate].name})` : ""));
    return metrics.length ? make("span", { class: `said ${kind.name}` }, `${kind.shape} ${kind.rank ? "newly passes" : "newly fails"}: `, shown(metrics.join(", "))) : null;
  }).filter(Boolean);
  const row = shownRows[rowOf(entry.id)], peers = shownGroups.find((each) => each.group === row?.group)?.entries.length;
  return make("header", { class: "case-head" },
    make("h3", {}, shown(entry.id)),
    said.length ? said : make("span", { class: `said ${group.name}` }, `${group.shape} ${group.word}`),
    entry.tags.map((tag) => make("span", { class: "tag" }, shown(tag))),
    make("span", { class: "walk" },
      make("button", { type: "button", class: "plain", title: "previous (k)", "aria-label": "previous case", on: { click: () => step(-1) } }, "‹"),
      make("span", { class: "place" }, row ? `${number(row.number + 1)} of ${number(peers)}` : "not in this list"),
      make("button", { type: "button", class: "plain", title: "next (j)", "aria-label": "next case", on: { click: () => step(1) } }, "›"),
      copyButton("copy link", () => location.href)));
}

// What moved the case between the two answers shown, one line for each thing that is to be said of it.
function whyMoved(entry, sides) {
  const said = new Map();
  const broken = new Set(entry.causes.filter(([, cause]) => causes[cause].code === "broken").map(([lens]) => lens));
  for (const [number, place] of entry.causes) {
    const lens = lenses[number], cause = causes[place], metric = index.metrics[lens.metric];
    if (lens.baseline !== sides.left || lens.candidate !== sides.right || (broken.has(number) && cause.code.endsWith("+"))) continue;
    const sentence = metric.graded ? cause.graded : cause.passing;
    said.set(sentence, [...(said.get(sentence) ?? []), metric.name]);
  }
  return said.size ? make("div", { class: "why-moved" }, make("span", { class: "key" }, "Why"),
    make("div", {}, [...said].map(([sentence, metrics]) => make("span", { class: "line" }, make("span", { class: "muted" }, shown(metrics.join(", ")), ": "), `${sentence}.`)))) : "";
}

const manyCandidates = new Set(lenses.map((lens) => lens.candidate)).size > 1;

function asked(detail, sides, open) {
  const prompts = [sides.left, sides.right].filter((side) => side >= 0).map((side) => detail.prompts[detail.prompt[side]] ?? null);
  const texts = prompts.map((prompt) => prompt?.text ?? null);
  const same = texts.includes(null) || texts.length < 2 || texts[0] === texts[1];
  const first = texts.find((text) => text !== null) ?? detail.variables ?? "";
  const preview = first.replace(/\s+/g, " ").trim().slice(0, 240);
  const body = same ? [long("pre", first)] : texts.map((text, at) => [make("h4", {}, shown(index.variants[at ? sides.right : sides.left].name)), long("pre", text ?? "")]).flat();
  return make("div", { class: "asked" },
    make("details", { class: "prompt", open: open.prompt },
      make("summary", {}, make("span", { class: "key" }, texts.some(Boolean) ? (same ? "Prompt" : "Prompts") : "Case"), make("span", { class: "preview" }, shown(preview))), body),
    pictures(prompts), toolDefinitions(prompts, sides, open.tools),
    detail.expected === null ? null : make("div", { class: "expected" }, make("span", { class: "key" }, "Expected"), long("pre", detail.expected)));
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

function toolDefinitions(prompts, sides, open) {
  const texts = prompts.filter(Boolean).map((prompt) => prompt.tools);
  if (!texts.some(Boolean)) return null;
  const same = texts.every((text) => text === texts[0]);
  const names = [...new Set(texts.filter(Boolean).flatMap((text) => JSON.parse(text)).map((tool) => tool?.name ?? tool?.type ?? "tool"))];
  return make("details", { class: "tool-definitions", open },
    make("summary", {}, make("span", { class: "key" }, "Tools"), make("span", { class: "preview" }, shown(names.join(", ")))),
    same ? long("pre", texts[0]) : texts.map((text, at) => [make("h4", {}, shown(index.variants[at ? sides.right : sides.left].name)), long("pre", text || "none")]).flat());
}

// Text in an element of its own; a long one is cut, with a button that shows the rest.
function long(tag, text, pieces = null) {
  const element = make(tag, { dir: "auto" });
  if (pieces) element.append(...pieces);
  else if (text.length <= LONG) element.append(...shown(text));
  else {
    element.append(...shown(text.slice(0, LONG)), make("button", {
      type: "button", class: "more", on: { click: () => element.replaceChildren(...shown(text)) },
    }, `… show all ${number(text.length)} characters`));
  }
  return element;
}

// A shell takes a single-quoted text as it is.
const quoted = (text) => /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

function rerun(entry) {
  const command = `snapdrift run ${quoted(index.suite)} --gate ${quoted(index.gate)} --case=${quoted(entry.id)}${index.standin ? " --standin" : ""}`;
  return make("p", { class: "rerun" }, make("span", { class: "key" }, "Rerun"), make("code", {}, shown(command)), copyButton("copy", () => command));
}

function copyButton(word, text) {
  return make("button", { type: "button", class: "plain", on: { click: async (event) => {
    const button = event.currentTarget;
    try { await navigator.clipboard.writeText(text()); button.textContent = "copied"; } catch { button.textContent = "could not copy"; }
    setTimeout(() => { button.textContent = word; }, 1500);
  } } }, word);
}
