/** npm run packetdrill -- [--verbose] PATH…: run packetdrill scripts against the stack, in this process. */
import { existsSync } from 'node:fs';
import { countOf, findScripts, lineOf, type Result, runFile, statusOf, tableOf } from './report.ts';

const USAGE = 'usage: npm run packetdrill -- [--verbose] PATH…';

async function main(args: readonly string[]): Promise<number> {
  const verbose = args.includes('--verbose');
  const paths = args.filter((arg) => arg !== '--verbose');
  const wrong = paths.find((path) => path.startsWith('--') || !existsSync(path));
  if (paths.length === 0 || wrong !== undefined) {
    console.error(wrong === undefined ? USAGE : `${wrong}: no such file, folder or option\n${USAGE}`);
    return 2;
  }
  const results: Result[] = [];
  for (const path of findScripts(paths)) {
    const result = await runFile(path);
    results.push(result);
    console.log(lineOf(result, verbose));
  }
  console.log(`\n${tableOf(results)}\n\n${countOf(results)}`);
  return statusOf(results);
}

process.exitCode = await main(process.argv.slice(2));
