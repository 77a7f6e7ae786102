/**
 * Where places in a bundle stand in our sources, by its source map (version 3; ECMA-426). The map is read through for the
 * places of one trace and let go: an index of it, as Node's SourceMap makes one, is 80 MB and a quarter of a second.
 */
const { readFileSync } = require('node:fs');
const { fileURLToPath, pathToFileURL } = require('node:url');

const COMMA = 44;
const SEMICOLON = 59;
/** A digit's five bits, and the bit that says that the number goes on. */
const DIGIT_BITS = 5;
const DIGIT_MASK = 31;
const GOES_ON = 32;
const DIGITS = new Uint8Array(128);
for (const [i, digit] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries()) {
  DIGITS[digit.charCodeAt(0)] = i;
}
/** What a segment says: its column here, then source, line and column there. A fifth, the name, is not asked for. */
const COLUMN = 0;
const SOURCE_COLUMN = 3;
const FIELDS = 5;

/**
 * `places` of `file` (`line` and `column` from 1, as in a trace) as `path:line:column`, in the same order; undefined for
 * what its map does not tell, or when it has none that can be read.
 */
function sourcesOf(file, places) {
  const found = new Array(places.length).fill(undefined);
  let map;
  try {
    map = JSON.parse(readFileSync(`${file}.map`, 'utf8'));
  } catch {
    return found;
  }
  const url = pathToFileURL(file);
  const tell = ([, source, line, column]) =>
    `${fileURLToPath(new URL(map.sources[source], url))}:${line + 1}:${column + 1}`;
  const order = places
    .map((_, i) => i)
    .sort((a, b) => places[a].line - places[b].line || places[a].column - places[b].column);
  let next = 0;
  /** The last segment that does not begin after the place, when it stands on its line. */
  let before;
  const settle = () => {
    if (before !== undefined) found[order[next]] = tell(before);
    next++;
    if (before !== undefined && places[order[next]]?.line !== places[order[next - 1]].line) before = undefined;
  };
  eachSegment(map.mappings, (line, fields) => {
    while (next < order.length && startsAfter(line, fields[COLUMN], places[order[next]])) settle();
    if (line + 1 === places[order[next]]?.line) before = [...fields];
    return next < order.length;
  });
  while (next < order.length) settle();
  return found;
}

function startsAfter(line, column, place) {
  return line > place.line - 1 || (line === place.line - 1 && column > place.column - 1);
}

/** Every segment that names a source, until `each` answers false. All numbers are differences to those before. */
function eachSegment(mappings, each) {
  const fields = new Array(FIELDS).fill(0);
  let line = 0;
  let field = 0;
  let bits = 0;
  let shift = 0;
  for (let i = 0; i <= mappings.length; i++) {
    const code = i < mappings.length ? mappings.charCodeAt(i) : SEMICOLON;
    if (code === COMMA || code === SEMICOLON) {
      if (field > SOURCE_COLUMN && !each(line, fields)) return;
      field = 0;
      if (code === COMMA) continue;
      line++;
      fields[COLUMN] = 0;
      continue;
    }
    const digit = DIGITS[code];
    bits |= (digit & DIGIT_MASK) << shift;
    if ((digit & GOES_ON) !== 0) {
      shift += DIGIT_BITS;
      continue;
    }
    // The lowest bit is the sign.
    fields[field++] += (bits & 1) === 1 ? -(bits >> 1) : bits >> 1;
    bits = 0;
    shift = 0;
  }
}

module.exports = { sourcesOf };
