// The SHA-256 of a text (FIPS 180-4), by which a label knows the answer that it is of. It is our own because the
// browser's is missing where a page comes over plain HTTP, and its encoder replaces lone surrogates, which Python keeps.

const FIRST_PRIMES = (() => {
  const found = [];
  for (let number = 2; found.length < 64; number += 1) if (found.every((prime) => number % prime)) found.push(number);
  return found;
})();
const fraction = (root) => Math.floor((root - Math.floor(root)) * 2 ** 32) >>> 0;
const ROUND_CONSTANTS = FIRST_PRIMES.map((prime) => fraction(Math.cbrt(prime)));
const FIRST_STATE = FIRST_PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));

// UTF-8, with a lone surrogate as the three bytes of its number.
function bytesOf(text) {
  const bytes = new Uint8Array(text.length * 3 + 72);
  let end = 0;
  for (let place = 0; place < text.length; place += 1) {
    const code = text.codePointAt(place);
    if (code > 0xffff) place += 1;
    if (code < 0x80) bytes[end++] = code;
    else if (code < 0x800) { bytes[end++] = 0xc0 | code >> 6; bytes[end++] = 0x80 | code & 63; }
    else if (code < 0x10000) { bytes[end++] = 0xe0 | code >> 12; bytes[end++] = 0x80 | code >> 6 & 63; bytes[end++] = 0x80 | code & 63; }
    else { bytes[end++] = 0xf0 | code >> 18; bytes[end++] = 0x80 | code >> 12 & 63; bytes[end++] = 0x80 | code >> 6 & 63; bytes[end++] = 0x80 | code & 63; }
  }
  return { bytes, end };
}

function sha256(text) {
  const { bytes, end } = bytesOf(text);
  const padded = (end + 9 + 63) & ~63, view = new DataView(bytes.buffer), state = Uint32Array.from(FIRST_STATE), schedule = new Uint32Array(64);
  bytes[end] = 0x80;
  view.setUint32(padded - 8, Math.floor(end / 2 ** 29));
  view.setUint32(padded - 4, end << 3 >>> 0);
  for (let at = 0; at < padded; at += 64) {
    for (let t = 0; t < 16; t += 1) schedule[t] = view.getUint32(at + 4 * t);
    for (let t = 16; t < 64; t += 1) {
      const a = schedule[t - 15], b = schedule[t - 2];
      schedule[t] = schedule[t - 16] + (turned(a, 7) ^ turned(a, 18) ^ a >>> 3) + schedule[t - 7] + (turned(b, 17) ^ turned(b, 19) ^ b >>> 10);
    }
    compress(state, schedule);
  }
  return [...state].map((word) => word.toString(16).padStart(8, "0")).join("");
}

const turned = (word, by) => word >>> by | word << 32 - by;

function compress(state, schedule) {
  let [a, b, c, d, e, f, g, h] = state;
  for (let t = 0; t < 64; t += 1) {
    const first = h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + (e & f ^ ~e & g) + ROUND_CONSTANTS[t] + schedule[t] | 0;
    const second = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + (a & b ^ a & c ^ b & c) | 0;
    h = g; g = f; f = e; e = d + first | 0; d = c; c = b; b = a; a = first + second | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, place) => { state[place] += word; });
}
