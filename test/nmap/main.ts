/**
 * npm run fingerprint -- [FILE]: what nmap's OS detection sees in a host of ours, beside its reference for Linux. With a FILE
 * (- is standard input), what a real nmap printed: `nmap -O -d TARGET | npm run fingerprint -- -`.
 */
import { readFileSync } from 'node:fs';
import { compare, type Fingerprint, parseFingerprint, printFingerprint, tableOf } from './fingerprint.ts';
import { LINUX_4_15_TO_5_6 } from './linux.ts';
import { fingerprintOfTarget, target } from './target.ts';

async function ours(file: string | undefined): Promise<Fingerprint> {
  if (file !== undefined) return parseFingerprint(readFileSync(file === '-' ? 0 : file, 'utf8'));
  return fingerprintOfTarget(await target());
}

const fingerprint = await ours(process.argv[2]);
const rows = compare(fingerprint, parseFingerprint(LINUX_4_15_TO_5_6));
const outside = rows.filter((row) => !row.inside).length;
console.log(
  `${printFingerprint(fingerprint)}\n\n${tableOf(rows)}\n\n${rows.length - outside} inside, ${outside} outside`,
);
process.exitCode = outside === 0 ? 0 : 1;
