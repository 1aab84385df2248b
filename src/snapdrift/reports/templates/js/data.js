// What the page carries: the index, read at once, and chunks of details, inflated when first asked for.

const index = JSON.parse(document.getElementById("index").textContent);
const chunkElements = [...document.getElementsByClassName("chunk")];
const chunkStarts = [];
const chunkPromises = [];
const details = new Array(index.cases.length).fill(null);
let thumbnails = null;
const haystacks = new Array(index.cases.length).fill(null);

index.chunks.reduce((start, length) => { chunkStarts.push(start); return start + length; }, 0);

// A case as the list knows it; `encoding.py` writes these entries.
const cases = index.cases.map(([id, states, tags, odd, why, causes, alike, passes], place) => (
  { place, id, states, tags: tags.map((tag) => index.tags[tag]), odd, why, causes, alike, passes }));
const caseById = new Map(cases.map((entry) => [entry.id, entry]));
const causes = index.causes.map(([code, word, passing, graded, form]) => ({ code, word, passing, graded, form: !!form }));
const lenses = index.lenses.map(([metric, baseline, candidate, compared]) => ({ metric, baseline, candidate, compared: !!compared }));
const groups = index.groups.map(([code, name, word, shape], rank) => ({ code, name, word, shape, rank }));
const groupOfCode = new Map(groups.map((group) => [group.code, group]));
const unchanged = groups[groups.length - 1];

function chunkOf(place) {
  let low = 0, high = chunkStarts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (chunkStarts[middle] <= place) low = middle; else high = middle - 1;
  }
  return low;
}

async function inflate(base64) {
  const packed = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

const readChunk = async (number) => JSON.parse(await inflate(chunkElements[number].textContent));

function loadChunk(number) {
  chunkPromises[number] ??= readChunk(number).then((read) => {
    read.forEach((detail, offset) => { details[chunkStarts[number] + offset] = detail; });
    chunkElements[number].remove();
  });
  return chunkPromises[number];
}

async function loadDetail(place) {
  if (!details[place]) await loadChunk(chunkOf(place));
  return details[place];
}

// The texts of a chunk's cases, for a search. Details that nobody looks at are not kept: only their texts are.
async function haystacksOf(number) {
  const first = chunkStarts[number], end = first + index.chunks[number];
  if (haystacks[first] === null) {
    const read = await (chunkPromises[number]?.then(() => details.slice(first, end)) ?? readChunk(number));
    read.forEach((detail, offset) => { haystacks[first + offset] = haystack(cases[first + offset], detail); });
  }
  return haystacks.slice(first, end);
}

// What the list can be sorted by: columns over the cases, one a variant.
let columns = null;
const loadColumns = () => columns ??= inflate(document.getElementById("numbers").textContent).then(JSON.parse);

// A small picture by its number. All of them are one text, read when the first is looked at.
function thumbnail(number) {
  thumbnails ??= JSON.parse(document.getElementById("thumbnails").textContent);
  return thumbnails[number];
}

// A reason or an outcome as people call it.
const word = (code) => code === "ok" ? "ok" : index.words[code] ?? code;

// What stands in the place of a text that privacy rules took out: no text, so nothing searches or compares it.
const isRedacted = (text) => index.redacted.length > 0 && String(text).startsWith("redacted: ");

// All text of a case that a search looks through, joined by a character that no search can type. Of a very long text
// only the beginning is looked at: who searches is told so.
const SEARCHED = 100000;
let cutTexts = 0;

function haystack(entry, detail) {
  const texts = [...idAndTags(entry), detail.expected ?? "", detail.variables ?? ""];
  for (const prompt of detail.prompts) texts.push(prompt.text, prompt.tools, ...prompt.media.map(([, name]) => name));
  for (const answer of detail.answers) {
    texts.push(answer.text ?? "", answer.refusal ?? "", answer.failure ?? "", answer.detail ?? "", answer.request_id ?? "");
    texts.push(...(answer.tools ?? []).flat(), ...(answer.steps ?? []).flat(3).map(String));
    for (const score of answer.scores) texts.push(score[3], score[4], score[5] ?? "");
  }
  return [...new Set(texts)].filter((text) => !isRedacted(text)).map((text) => text.length > SEARCHED ? (cutTexts += 1, text.slice(0, SEARCHED)) : text).join(BETWEEN);
}

const BETWEEN = "\u0001";
const idAndTags = (entry) => [entry.id, ...entry.tags];
