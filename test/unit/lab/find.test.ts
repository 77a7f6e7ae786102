import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkLabFile, LabError, loadLab } from '../../../shared/lab/find.ts';
import { formatProblem } from '../../../shared/lab/problem.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wirelab-lab-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function lab(files: Readonly<Record<string, string>>): string[] {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return checkLabFile(join(folder, 'lab.yaml'), { cwd: folder }).problems.map(formatProblem);
}

const LAB = `name: x
devices:
  ns: { kind: dns, role: tld, zones: { com: com.zone } }
  local: { kind: dns, role: local, hints: named.root }
`;
const ZONE = '$TTL 60\n@ IN SOA ns host 1 2 3 4 5\n@ IN NS ns\nns IN A 192.0.2.1\n';
const HINTS = '. 60 IN NS a.root.\na.root. 60 IN A 192.0.2.1\n';

test('a lab with good zone and hints files has no problems', () => {
  expect(lab({ 'lab.yaml': LAB, 'com.zone': ZONE, 'named.root': HINTS })).toEqual([]);
});

test('a bad record of a zone file is told with the place in that file', () => {
  const problems = lab({ 'lab.yaml': LAB, 'com.zone': `${ZONE}www IN A 192.0.2.300\n`, 'named.root': HINTS });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(/^com\.zone:5:10: /);
});

test('hints that name no root server are told', () => {
  expect(lab({ 'lab.yaml': LAB, 'com.zone': ZONE, 'named.root': '; nothing\n' })).toEqual([
    'named.root:1:1: no root server with an address in the hints; expected an NS record of the root, and an A record of its target',
  ]);
});

test('a file that is not there is told with the closest that is', () => {
  expect(lab({ 'lab.yaml': LAB, 'con.zone': ZONE, 'named.root': HINTS })).toEqual([
    'lab.yaml:3:45: there is no file "com.zone" for a zone of ns (dns); expected a file in the lab\'s folder; did you mean "con.zone"?',
  ]);
});

test('loading a lab with problems throws what a command prints, with every line', () => {
  writeFileSync(join(folder, 'lab.yaml'), 'name: x\ndevices: { a: { kind: hots } }\n');
  let thrown: unknown;
  try {
    loadLab('.', { labsFolder: '/nowhere', cwd: folder });
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(LabError);
  expect((thrown as LabError).message.split('\n')).toEqual([
    'lab.yaml:2:23: unknown kind "hots" of device a; expected one of host, switch, router, dns; did you mean "host"?',
    '    2 | devices: { a: { kind: hots } }',
    '      |                       ^^^^',
    '1 problem in lab.yaml',
  ]);
});
