/** npm run packetdrill -- [--verbose] PATH…: run packetdrill scripts against the stack, in this process. */
import { existsSync } from 'node:fs';
import { countOf, findScripts, lineOf, type Result, runFile, statusOf, tableOf } from './report.ts';

const USAGE = 'usage: npm run packetdrill -- [--verbose] [-D NAME=VALUE]… PATH…';
/** `-D NAME=VALUE`, `-DNAME=VALUE`, `--define NAME=VALUE`, `--define=NAME=VALUE`. */
const DEFINE = /^(?:-D|--define=)(.+)$/;

/** Words to put in place, and the other arguments. */
function takeDefines(args: readonly string[]): { defines: Map<string, string>; rest: string[]; bad?: string } {
  const defines = new Map<string, string>();
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    const separate = arg === '-D' || arg === '--define';
    const text = separate ? args[++i] : DEFINE.exec(arg)?.[1];
    if (!separate && text === undefined) {
      rest.push(arg);
      continue;
    }
    const pair = /^(\w+)=(.*)$/.exec(text ?? '');
    if (pair === null) return { defines, rest, bad: arg };
    defines.set(pair[1]!, pair[2]!);
  }
  return { defines, rest };
}

async function main(args: readonly string[]): Promise<number> {
  const verbose = args.includes('--verbose');
  const { defines, rest, bad } = takeDefines(args);
  if (bad !== undefined) {
    console.error(`${bad}: NAME=VALUE was expected\n${USAGE}`);
    return 2;
  }
  const paths = rest.filter((arg) => arg !== '--verbose');
  const wrong = paths.find((path) => path.startsWith('--') || !existsSync(path));
  if (paths.length === 0 || wrong !== undefined) {
    console.error(wrong === undefined ? USAGE : `${wrong}: no such file, folder or option\n${USAGE}`);
    return 2;
  }
  const scripts = findScripts(paths);
  if (scripts.length === 0) {
    console.error(`${paths.join(' ')}: no script (*.pkt) there`);
    return 2;
  }
  const results: Result[] = [];
  for (const path of scripts) {
    const result = await runFile(path, defines);
    results.push(result);
    console.log(lineOf(result, verbose));
  }
  console.log(`\n${tableOf(results)}\n\n${countOf(results)}`);
  return statusOf(results);
}

process.exitCode = await main(process.argv.slice(2));
