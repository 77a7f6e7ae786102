/** Scripts of files and folders, what became of each, and the tables of it. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { runScript, type Verdict } from './interpreter.ts';

export interface Result extends Verdict {
  readonly path: string;
  /** `01-core/name.pkt`. */
  readonly name: string;
}

/** Every script at or below the paths, in order of name. */
export function findScripts(paths: readonly string[]): string[] {
  const found: string[] = [];
  for (const path of paths) {
    if (statSync(path).isDirectory()) {
      const names = readdirSync(path).sort();
      found.push(
        ...findScripts(names.map((name) => join(path, name)).filter((it) => /\.pkt$/.test(it) || isFolder(it))),
      );
    } else found.push(path);
  }
  return found;
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

/** Ticks of kernels that people build, by which scripts were written: the timers of a slow one are late. */
const SLOWER_HZ: readonly number[] = [250, 100];

/** The verdict of a kernel with HZ=1000, as the tests want it; one that only its timers' ticks fail may pass on another. */
export async function runFile(path: string, defines?: ReadonlyMap<string, string>, echo = false): Promise<Result> {
  const text = readFileSync(path, 'utf8');
  let verdict = await runScript(text, { echo }, defines);
  if (verdict.outcome === 'fail' && / us too (early|late)/.test(verdict.message)) {
    for (const hz of SLOWER_HZ) {
      const { outcome, message } = await runScript(text, { hz, echo }, defines);
      if (outcome !== 'pass') continue;
      verdict = { outcome, message, hz };
      break;
    }
  }
  return { ...verdict, path, name: `${basename(dirname(path))}/${basename(path)}` };
}

export function lineOf(result: Result, verbose: boolean): string {
  if (result.outcome === 'pass') {
    return `pass         ${result.name}${result.hz === undefined ? '' : ` (with wirelab.hz=${result.hz})`}`;
  }
  const at = result.place === undefined ? '' : `:${result.place.line}:${result.place.column}`;
  const message = verbose ? result.message : (result.message.split('\n')[0] ?? '');
  return `${result.outcome === 'fail' ? 'FAIL       ' : 'unsupported'}  ${result.name}${at}: ${message}`;
}

/** Folder, scripts, passed, failed, unsupported. */
export function tableOf(results: readonly Result[]): string {
  const folders = new Map<string, { pass: number; fail: number; unsupported: number }>();
  for (const { name, outcome } of results) {
    const folder = dirname(name);
    const row = folders.get(folder) ?? { pass: 0, fail: 0, unsupported: 0 };
    row[outcome]++;
    folders.set(folder, row);
  }
  const cell = (value: number | string): string => String(value).padStart(12);
  const lines = [`${'folder'.padEnd(24)}${['passed', 'failed', 'unsupported'].map(cell).join('')}`];
  for (const [folder, { pass, fail, unsupported }] of folders) {
    lines.push(`${folder.padEnd(24)}${[pass, fail, unsupported].map(cell).join('')}`);
  }
  return lines.join('\n');
}

export function countOf(results: readonly Result[]): string {
  const of = (outcome: Verdict['outcome']): number => results.filter((it) => it.outcome === outcome).length;
  return `${of('pass')} passed, ${of('fail')} failed, ${of('unsupported')} unsupported`;
}

/** 1 when any failed, else 2 when any could not be run. */
export function statusOf(results: readonly Result[]): number {
  if (results.some(({ outcome }) => outcome === 'fail')) return 1;
  return results.some(({ outcome }) => outcome === 'unsupported') ? 2 : 0;
}
