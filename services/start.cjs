/**
 * How a process of a lab, and the command, start fast: `node dist/services/start.cjs host`. Runs the bundle that
 * services/bundle.js made of services/host/main.ts, with V8's compiled code from an earlier run beside it: a device is
 * ready in a quarter of the time that its hundreds of modules take one by one. Without a bundle (only tsc ran) the modules
 * are loaded as they are; compiled code that another Node made is refused by V8, and the bundle compiled anew.
 */
const { existsSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');
const { Script } = require('node:vm');

/** Start services/NAME/main.ts in this process. */
function start(name) {
  const folder = join(__dirname, name);
  const file = join(folder, 'main.cjs');
  if (!existsSync(file)) return void import(pathToFileURL(join(folder, 'main.js')).href);
  nameSources(file);
  const compiled = `${file}.cache`;
  // What is beyond ASCII is escaped in a bundle: latin1 is read without a look at each octet.
  const script = new Script(readFileSync(file, 'latin1'), {
    filename: file,
    cachedData: existsSync(compiled) ? readFileSync(compiled) : undefined,
  });
  // Asked for by services/bundle.js: at the end, when what a start needs has been compiled.
  if (process.env.CODE_CACHE === 'write') process.on('exit', () => save(compiled, script.createCachedData()));
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(file), module, file, folder);
}

/** Several processes of a lab may do so at once: whoever is last has it. */
function save(file, bytes) {
  const fresh = `${file}.${process.pid}`;
  writeFileSync(fresh, bytes);
  renameSync(fresh, file);
}

/**
 * Stack traces name our sources. Node's streams read the trace of each error that ends one, a refused connection's too:
 * what lies outside the bundle costs nothing, and a place in it is looked up once.
 */
function nameSources(file) {
  /** By line and column; as many as the bundle has places at most. */
  const known = new Map();
  Error.prepareStackTrace = (error, frames) => {
    const ours = frames.filter((frame) => frame.getFileName() === file);
    learn(file, ours, known);
    const lines = frames.map((frame) => `\n    at ${ours.includes(frame) ? place(frame, file, known) : frame}`);
    return `${headOf(error)}${lines.join('')}`;
  };
}

const siteOf = (frame) => `${frame.getLineNumber()}:${frame.getColumnNumber()}`;

function learn(file, frames, known) {
  const fresh = frames.filter((frame) => !known.has(siteOf(frame)));
  if (fresh.length === 0) return;
  const places = fresh.map((frame) => ({ line: frame.getLineNumber(), column: frame.getColumnNumber() }));
  const found = require('./source-map.cjs').sourcesOf(file, places);
  for (const [i, frame] of fresh.entries()) known.set(siteOf(frame), found[i]);
}

/** One call site in the bundle, at its source. */
function place(frame, file, known) {
  const text = String(frame);
  const source = known.get(siteOf(frame));
  return source === undefined ? text : text.replace(`${file}:${siteOf(frame)}`, source);
}

function headOf(error) {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    // An error whose message cannot be read.
    return 'Error';
  }
}

module.exports = { start };
if (require.main === module) start(process.argv[2]);
