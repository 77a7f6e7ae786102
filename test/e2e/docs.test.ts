/**
 * The documents, tried out: every block of commands is run on a running lab, in order, from a folder that looks like the
 * repository to them. Each command's status is 0 (or what its line says); an `output` block is what the commands before
 * it print.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type Block, blocksOf, missingFrom, runScript, scriptOf } from '../kit/documents.ts';
import { ROOT, textOf, trackedFiles } from '../kit/sources.ts';
import { Wirelab } from '../kit/wirelab.ts';

const BLOCK_MS_MAX = 60_000;
/** Commands that are tried elsewhere, and where. */
const ELSEWHERE: readonly (readonly [command: RegExp, where: string])[] = [
  [
    /^npm ci && npm start\b/,
    'CI installs and builds; lifecycle.test.ts brings a lab up in the foreground and ends it with Ctrl-C',
  ],
  [/^npm test\b/, 'this is it'],
];

const DOCUMENTS = trackedFiles('.md').filter((path) => path === 'README.md' || /^labs\/[^/]+\/README\.md$/.test(path));
const commands = new Wirelab();
const folder = mkdtempSync(join(tmpdir(), 'wirelab-docs-'));
const environment = {
  ...process.env,
  XDG_RUNTIME_DIR: commands.folder,
  NO_COLOR: '1',
  NODE: process.execPath,
  WIRELAB: join(ROOT, 'services/lab/wirelab.js'),
  NODE_OPTIONS: '',
};
const passedBy = new Set<RegExp>();

afterAll(async () => {
  await commands.end();
  rmSync(folder, { recursive: true, force: true });
});

function withoutElsewhere(text: string): string {
  const kept = text.split('\n').filter((line) => {
    const other = ELSEWHERE.find(([command]) => command.test(line));
    if (other !== undefined) passedBy.add(other[0]);
    return other === undefined;
  });
  return kept.join('\n').trim();
}

/** Command blocks, each with the sample of its output if there is one. */
function trials(document: string): { title: string; text: string; sample: string | undefined }[] {
  const blocks = blocksOf(textOf(document));
  return blocks.flatMap((block: Block, i) => {
    const text = block.language === 'sh' || block.language === 'console' ? withoutElsewhere(block.text) : '';
    if (text === '') return [];
    const next = blocks[i + 1];
    const sample = next?.language === 'output' ? next.text : undefined;
    return [{ title: `line ${block.line}: ${text.split('\n')[0]}`, text, sample }];
  });
}

describe.each(DOCUMENTS)('%s', (document) => {
  const cwd = join(folder, document.replaceAll('/', '-'));
  mkdirSync(cwd);
  for (const name of ['labs', 'examples']) symlinkSync(join(ROOT, name), join(cwd, name));
  afterAll(() => commands.run(['down']));

  test.each(trials(document).map((trial) => [trial.title, trial] as const))('%s', async (_, { text, sample }) => {
    const { status, out, err } = await runScript(scriptOf(text), cwd, environment, BLOCK_MS_MAX);
    expect({ status, err: status === 0 ? '' : `${err}${out}` }).toEqual({ status: 0, err: '' });
    expect(sample === undefined ? undefined : missingFrom(out, sample)).toBeUndefined();
  });
});

test('no command is passed by that no document has', () => {
  expect(ELSEWHERE.filter(([command]) => !passedBy.has(command)).map(([, where]) => where)).toEqual([]);
});
