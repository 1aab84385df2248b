// The search: it looks through the cases chunk by chunk, gives way to the reader in between, and ends at the next key
// press. A regular expression is tried in a worker, because one that takes for ever can only be ended from outside.

const BATCH_MS = 3000, DRAW_MS = 120;
const search = { query: "", hits: new Uint8Array(cases.length), seen: 0, running: false, problem: "" };
let searchTurn = 0;
let tester = null;

// Runs in the worker, alone: nothing of this page is in its scope. A text is what stands between two separators.
function testTexts() {
  onmessage = ({ data: { pattern, flags, texts, between } }) => {
    const expression = new RegExp(pattern, flags);
    postMessage(texts.map((each) => each.split(between).some((text) => expression.test(text))));
  };
  postMessage("ready");
}

// The one address that may become a worker is the one made here. The policy is made at once: there can be no second one
// of its name, so no other script can make it.
let workerUrl = "";
const workerPolicy = globalThis.trustedTypes?.createPolicy("snapdrift-search", { createScriptURL: () => workerUrl });

function startWorker() {
  workerUrl ||= URL.createObjectURL(new Blob([`(${testTexts})()`], { type: "text/javascript" }));
  return new Worker(workerPolicy?.createScriptURL("") ?? workerUrl);
}

// What a worker says next. Rejects when it says nothing in time.
function reply(worker, milliseconds) {
  return new Promise((done, fail) => {
    const timer = milliseconds ? setTimeout(() => fail(new Error("late")), milliseconds) : 0;
    worker.onmessage = ({ data }) => { clearTimeout(timer); done(data); };
    worker.onerror = (event) => { clearTimeout(timer); event.preventDefault(); fail(new Error("no worker")); };
  });
}

function endWorker() {
  tester?.terminate();
  tester = null;
}

// `/…/` with flags is a regular expression: `{pattern, flags}`; anything else is looked for as it is: null.
function expressionOf(query) {
  const found = /^\/(.+)\/([imsu]*)$/s.exec(query);
  return found && { pattern: found[1], flags: found[2] };
}

function compiles(pattern, flags) {
  try { return new RegExp(pattern, flags) && ""; } catch (error) { return error.message.split(": ").at(-1) || "not understood"; }
}

// What is wrong with a regular expression and from where on, empty where nothing is: up to there it would be one.
function complaint({ pattern, flags }) {
  const what = compiles(pattern, flags);
  if (!what) return "";
  let good = pattern.length - 1;
  while (good > 0 && compiles(pattern.slice(0, good), flags)) good -= 1;
  return `not a regular expression: ${what[0].toLowerCase()}${what.slice(1)}, at character ${good + 1}: ${pattern.slice(good, good + 20)}`;
}

async function testerOf(query) {
  const expression = expressionOf(query);
  if (!expression) {
    const wanted = query.toLowerCase();
    return (texts) => texts.map((text) => text.toLowerCase().includes(wanted));
  }
  tester = startWorker();
  const worker = tester;
  await reply(worker, 0);
  return (texts) => { worker.postMessage({ ...expression, texts, between: BETWEEN }); return reply(worker, BATCH_MS); };
}

// Starts the search that the state asks for, unless it is done or under way. Whatever ran before ends.
function followSearch() {
  if (state.q === search.query) return;
  searchTurn += 1;
  endWorker();
  const expression = expressionOf(state.q);
  Object.assign(search, { query: state.q, seen: 0, running: false, problem: expression ? complaint(expression) : "" });
  search.hits.fill(0);
  if (state.q && !search.problem) runSearch(searchTurn);
}

async function runSearch(turn) {
  search.running = true;
  try {
    const test = await testerOf(search.query);
    if (turn === searchTurn) await searchChunks(turn, test);
  } catch (error) {
    if (turn !== searchTurn) return;
    search.problem = error.message === "late"
      ? "the expression takes too long on some text: the search ended"
      : "this browser does not let a page from disk try regular expressions";
  }
  if (turn !== searchTurn) return;
  endWorker();
  search.running = false;
  searchWentOn();
}

// The parts to look through, each with the place of its first case. The next one is read while one is looked through.
async function* searchedParts() {
  if (elsewhere) { yield { first: 0, texts: cases.map((entry) => idAndTags(entry).join(BETWEEN)) }; return; }
  let next = haystacksOf(0);
  for (let part = 0; part < chunkStarts.length; part += 1) {
    const texts = await next;
    next = part + 1 < chunkStarts.length ? haystacksOf(part + 1) : null;
    yield { first: chunkStarts[part], texts };
  }
}

async function searchChunks(turn, test) {
  let drawnAt = performance.now();
  for await (const { first, texts } of searchedParts()) {
    const found = turn === searchTurn ? await test(texts) : [];
    if (turn !== searchTurn) return;
    found.forEach((hit, offset) => { search.hits[first + offset] = Number(hit); });
    search.seen = first + texts.length;
    if (performance.now() - drawnAt > DRAW_MS) {
      searchWentOn();
      await new Promise((done) => { setTimeout(done); });
      drawnAt = performance.now();
    }
  }
}

// What is to be said of the search, under its field.
function searchNote() {
  if (!state.q) return "";
  if (search.problem) return search.seen ? `${search.problem}; looked through ${number(search.seen)} of ${number(cases.length)}` : search.problem;
  if (search.running) return "";
  if (elsewhere) return "only ids and tags are searched here; search the answers on the pages:";
  return cutTexts ? `of ${number(cutTexts)} very long ${cutTexts === 1 ? "text" : "texts"}, the first ${number(SEARCHED)} characters are searched` : "";
}

// Whether the search leaves a case: all of them where the query is not one, so that no count is of a typing mistake.
const isHit = (entry) => search.hits[entry.place] === 1 || (search.problem !== "" && search.seen === 0);
