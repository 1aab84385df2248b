// A word diff after Myers (An O(ND) difference algorithm, 1986), bounded so that no pair of answers can hang the page.

const MOST_EDITS = 1500;

// A word has its accents and joiners in it; what is drawn as one emoji, a flag or a sign with its accents is one word.
const WORD = /\r?\n|[^\S\n]+|[\p{L}\p{N}_][\p{L}\p{M}\p{N}_\u200c\u200d]*|\p{RI}\p{RI}|\p{Extended_Pictographic}[\p{M}\p{EMod}\u{e0020}-\u{e007f}]*(?:\u200d\p{Extended_Pictographic}[\p{M}\p{EMod}]*)*|[^\s\p{L}\p{N}_]\p{M}*/gu;

function words(text) {
  return text.match(WORD) ?? [];
}

// Runs of `[same, text]` for each side: `{left: [...], right: [...], complete, kept}`; `kept` has a 1 for each word of the
// left side that the right side has too.
function wordDiff(left, right) {
  const a = words(left), b = words(right);
  let start = 0, endA = a.length, endB = b.length;
  while (start < endA && start < endB && a[start] === b[start]) start += 1;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) { endA -= 1; endB -= 1; }
  const keptA = new Uint8Array(a.length), keptB = new Uint8Array(b.length);
  keptA.fill(1, 0, start); keptA.fill(1, endA);
  keptB.fill(1, 0, start); keptB.fill(1, endB);
  const complete = markCommon(a, b, start, endA, endB, keptA, keptB);
  bridgeGaps(a, keptA);
  bridgeGaps(b, keptB);
  return { left: runs(a, keptA), right: runs(b, keptB), complete, kept: keptA };
}

function markCommon(a, b, start, endA, endB, keptA, keptB) {
  const n = endA - start, m = endB - start, most = Math.min(n + m, MOST_EDITS);
  const furthest = new Int32Array(2 * most + 3), trail = [], middle = most + 1;
  for (let edits = 0; edits <= most; edits += 1) {
    trail.push(furthest.slice(middle - edits - 1, middle + edits + 2));
    for (let k = -edits; k <= edits; k += 2) {
      const down = k === -edits || (k !== edits && furthest[middle + k - 1] < furthest[middle + k + 1]);
      let x = down ? furthest[middle + k + 1] : furthest[middle + k - 1] + 1, y = x - k;
      while (x < n && y < m && a[start + x] === b[start + y]) { x += 1; y += 1; }
      furthest[middle + k] = x;
      if (x >= n && y >= m) { backtrack(trail, n, m, start, keptA, keptB); return true; }
    }
  }
  return false;
}

function backtrack(trail, n, m, start, keptA, keptB) {
  let x = n, y = m;
  for (let edits = trail.length - 1; edits >= 0; edits -= 1) {
    const furthest = trail[edits], at = (k) => furthest[k + edits + 1], k = x - y;
    const down = k === -edits || (k !== edits && at(k - 1) < at(k + 1));
    const before = down ? k + 1 : k - 1, beforeX = edits ? at(before) : 0, beforeY = edits ? beforeX - before : 0;
    while (x > beforeX && y > beforeY) { x -= 1; y -= 1; keptA[start + x] = 1; keptB[start + y] = 1; }
    x = beforeX; y = beforeY;
  }
}

// A space between two words that differ differs with them: a mark then reads as one phrase. The space behind the phrase,
// if it is the same, takes its place as the one that both sides share.
function bridgeGaps(tokens, kept) {
  for (let place = 1; place + 1 < tokens.length; place += 1) {
    if (!kept[place] || kept[place - 1] || kept[place + 1] || !/^[^\S\n]+$/.test(tokens[place])) continue;
    let end = place + 1;
    while (end + 1 < tokens.length && !kept[end + 1]) end += 1;
    kept[place] = 0;
    if (tokens[end] === tokens[place]) kept[end] = 1;
  }
}

function runs(tokens, kept) {
  const result = [];
  tokens.forEach((token, place) => {
    const same = kept[place] === 1, last = result[result.length - 1];
    if (last && last[0] === same) last[1].push(token); else result.push([same, [token]]);
  });
  return result.map(([same, parts]) => [same, parts.join("")]);
}
