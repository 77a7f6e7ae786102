/**
 * Zone and hints files of a lab, read as the servers will read them, so that a misspelt record is told before anything
 * starts. Takes texts; who has them is asked by path.
 */
import { readHints } from '../dns/delegation.ts';
import { Zone } from '../dns/zone.ts';
import { type FileProblem, parseZoneFile } from '../dns/zone-file.ts';
import { dnsName } from '../header/dns-name.ts';
import type { LabFile } from './model.ts';
import type { Problem } from './problem.ts';

/** The text of a file in the lab's folder, and what messages call it; undefined when it cannot be read. */
export type ReadLabText = (path: string) => { readonly text: string; readonly shown: string } | undefined;

export function checkZones(lab: LabFile, read: ReadLabText): Problem[] {
  const problems: Problem[] = [];
  for (const { zones, hints } of lab.devices) {
    for (const { origin, file } of zones) {
      const found = read(file.value);
      if (found === undefined) continue;
      const name = dnsName(origin.value);
      const include = (path: string): string | undefined => read(path)?.text;
      const loaded = Zone.load(name, parseZoneFile(found.text, { file: found.shown, origin: name, include }));
      if ('problems' in loaded) problems.push(...loaded.problems.map((problem) => asOurs(problem, found)));
    }
    const found = hints === undefined ? undefined : read(hints.value);
    if (found === undefined) continue;
    const file = parseZoneFile(found.text, { file: found.shown });
    problems.push(...file.problems.map((problem) => asOurs(problem, found)));
    if (file.problems.length === 0 && !readHints(file).servers.some(({ addresses }) => addresses.length > 0)) {
      const message = 'no root server with an address in the hints';
      const at = { file: found.shown, line: 1, column: 1, message };
      problems.push({ ...asOurs(at, found), expected: 'an NS record of the root, and an A record of its target' });
    }
  }
  return problems;
}

function asOurs(
  { file, line, column, message }: FileProblem,
  { text, shown }: { text: string; shown: string },
): Problem {
  // The line of an included file is not at hand.
  const source = file === shown ? (text.split(/\r?\n/)[line - 1] ?? '') : '';
  return { file, line, column, length: 1, message, expected: '', hint: undefined, source };
}
