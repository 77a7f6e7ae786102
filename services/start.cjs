/**
 * How a process of a lab, and the command, start fast: `node dist/services/start.cjs host`. Runs the bundle that
 * services/bundle.js made of services/host/main.ts, with V8's compiled code from an earlier run beside it: a device is
 * ready in a quarter of the time that its hundreds of modules take one by one. Without a bundle (only tsc ran) the modules
 * are loaded as they are; compiled code that another Node made is refused by V8, and the bundle compiled anew.
 */
const { existsSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const { createRequire, SourceMap } = require('node:module');
const { join } = require('node:path');
const { fileURLToPath, pathToFileURL } = require('node:url');
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

/** Stack traces name our sources; the map is read when the first trace is. */
function nameSources(file) {
  let map;
  Error.prepareStackTrace = (error, frames) => {
    map ??= existsSync(`${file}.map`) ? new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8'))) : null;
    const lines = frames.map((frame) => `\n    at ${place(frame, file, map)}`);
    return `${headOf(error)}${lines.join('')}`;
  };
}

function headOf(error) {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    // An error whose message cannot be read.
    return 'Error';
  }
}

/** One call site, at its source when it lies in the bundle. */
function place(frame, file, map) {
  const text = String(frame);
  if (frame.getFileName() !== file || !map) return text;
  const line = frame.getLineNumber();
  const column = frame.getColumnNumber();
  const found = map.findEntry(line - 1, column - 1);
  if (found.originalSource === undefined) return text;
  const source = fileURLToPath(new URL(found.originalSource, pathToFileURL(file)));
  return text.replace(`${file}:${line}:${column}`, `${source}:${found.originalLine + 1}:${found.originalColumn + 1}`);
}

module.exports = { start };
if (require.main === module) start(process.argv[2]);
