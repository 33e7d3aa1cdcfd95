/** What the text is not: JSON. */
class NotJson extends Error {}

// Deeper values would need much of the stack.
const MOST_DEPTH = 100;
const SPACE = /[ \t\r\n]*/y;
const NUMBER = /NaN|-?(?:Infinity|(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)/y;
const WHOLE = /^-?[0-9]+$/;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORDS = new Map([
  ["null", null],
  ["true", true],
  ["false", false],
]);

/**
 * Reads a JSON text as Python does: NaN and Infinity are numbers, and a whole number differs
 * from the same number with a fraction.
 *
 * @param {string} text
 * @returns {*} a Map, an array, a string, a boolean, null, a bigint for a whole number, or a
 *     number for any other.
 * @throws {Error} if it is not JSON.
 */
export function parseJson(text) {
  let at = 0;

  function match(pattern) {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) throw new NotJson(`not JSON at character ${at}`);
    at += found[0].length;
    return found[0];
  }

  function take(word) {
    const found = text.startsWith(word, at);
    if (found) at += word.length;
    return found;
  }

  function expect(word) {
    if (!take(word)) throw new NotJson(`not JSON at character ${at}`);
  }

  const skipSpace = () => match(SPACE);

  function readItems(end, read) {
    skipSpace();
    if (take(end)) return;
    do {
      skipSpace();
      read();
      skipSpace();
    } while (take(","));
    expect(end);
  }

  function readObject(depth) {
    const map = new Map();
    readItems("}", () => {
      const key = JSON.parse(match(STRING));
      skipSpace();
      expect(":");
      // The last of equal keys counts, as in Python.
      map.set(key, readValue(depth + 1));
    });
    return map;
  }

  function readArray(depth) {
    const array = [];
    readItems("]", () => array.push(readValue(depth + 1)));
    return array;
  }

  function readValue(depth) {
    if (depth > MOST_DEPTH) throw new NotJson("too deep");
    skipSpace();
    if (take("{")) return readObject(depth);
    if (take("[")) return readArray(depth);
    if (text[at] === '"') return JSON.parse(match(STRING));
    for (const [word, value] of WORDS) if (take(word)) return value;
    const digits = match(NUMBER);
    return WHOLE.test(digits) ? BigInt(digits) : Number(digits);
  }

  const value = readValue(0);
  skipSpace();
  if (at !== text.length) throw new NotJson(`not JSON at character ${at}`);
  return value;
}
