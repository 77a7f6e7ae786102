/**
 * How a process of a lab, and the command, start fast: `node dist/services/start.cjs host`. Runs the bundle that
 * services/bundle.js made of services/host/main.ts, with V8's compiled code from an earlier run beside it: a device is
 * ready in a quarter of the time that its hundreds of modules take one by one. Without a bundle (only tsc ran) the modules
 * are loaded as they are. V8 refuses compiled code of another version, machine or set of its flags: then the bundle is
 * compiled anew, and what comes of it is kept for the next start.
 */
const {
  accessSync,
  constants,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} = require('node:fs');
const { createRequire } = require('node:module');
const { dirname, join } = require('node:path');
const { pathToFileURL } = require('node:url');
const { Script } = require('node:vm');

/** Real time until what a start needs has been compiled. V8 lets go again of what it does not use for long. */
const KEEP_MS = 2_000;
/** What Child (services/lab/child.ts) gives each process; these are no flags of V8's. */
const OWN_FLAGS = ['--v8-pool-size=1'];

/** Start services/NAME/main.ts in this process. */
function start(name) {
  const folder = join(__dirname, name);
  const file = join(folder, 'main.cjs');
  if (!existsSync(file)) return void import(pathToFileURL(join(folder, 'main.js')).href);
  nameSources(file);
  // A name for each Node: two that are used in turn do not undo each other's.
  const kept = `${file}.${process.version}.cache`;
  // What is beyond ASCII is escaped in a bundle: latin1 is read without a look at each octet.
  const script = new Script(readFileSync(file, 'latin1'), {
    filename: file,
    cachedData: existsSync(kept) ? readFileSync(kept) : undefined,
  });
  if (process.env.CODE_CACHE === 'write') process.on('exit', () => save(kept, script.createCachedData()));
  else if (script.cachedDataRejected !== false) keep(script, file, kept);
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(file), module, file, folder);
}

/**
 * Keep what was compiled, once it is all there. Code that was made under flags of one's own suits nobody else, and a
 * folder may be another's: then each start compiles.
 */
function keep(script, file, kept) {
  const flags = process.execArgv.filter((flag) => !OWN_FLAGS.includes(flag));
  if (flags.length > 0 || process.env.NODE_OPTIONS || !isOurs(dirname(file))) return;
  // Refused: of no use to any start like this one.
  rmSync(kept, { force: true });
  const made = statSync(file).mtimeMs;
  let done = false;
  const once = () => {
    if (done) return;
    done = true;
    try {
      const bytes = script.createCachedData();
      // Whoever has compiled the most is right; but a build may have made another bundle meanwhile.
      const before = statSync(kept, { throwIfNoEntry: false })?.size ?? 0;
      if (bytes.length > before && statSync(file).mtimeMs === made) save(kept, bytes);
    } catch {
      // No room, or no bundle any more: the next start compiles.
    }
  };
  setTimeout(once, KEEP_MS).unref();
  process.on('exit', once);
}

function isOurs(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
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
