/** The package as another project takes it: linked into its node_modules, imported, required, and read by its compiler. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { ROOT } from '../kit/sources.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'wirelab-user-'));
mkdirSync(join(folder, 'node_modules'));
symlinkSync(ROOT, join(folder, 'node_modules/wirelab'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Where the compiler must find a mistake; as one word it would be a hole in our own types. */
const MUST_FAIL = ['@ts', 'expect', 'error'].join('-');
const BODY = `lab('two-hosts', { engine: 'packed', clock: 'virtual' }).then(async (net) => {
  console.log((await net.host('alice').fetch('http://10.0.0.2/')).status);
  await net.freeze('alise').catch((error) => console.log(error instanceof EmuError, error.code));
  await net.close();
});`;

test.each([
  ['esm.mjs', `import { EmuError, lab } from 'wirelab';\n${BODY}`],
  ['commonjs.cjs', `const { EmuError, lab } = require('wirelab');\n${BODY}`],
])('a program of another project brings a lab up: %s', async (file, text) => {
  writeFileSync(join(folder, file), text);
  const { stdout, stderr } = await run(process.execPath, [join(folder, file)]);
  expect({ stdout, stderr }).toEqual({ stdout: '200\ntrue EMU_NO_DEVICE\n', stderr: '' });
});

test('its compiler reads the types at their strictest, libraries checked, without types of Node or of our parts', async () => {
  const test = `import { EmuError, type FetchResult, lab, type LabOptions, type NetVerdict } from 'wirelab';
export async function page(options: LabOptions): Promise<[FetchResult, readonly NetVerdict[]]> {
  await using net = await lab('two-hosts', options);
  await using _ = await net.wire('alice:eth0').impair({ loss: '5%', delay: '20ms' });
  await using _match = await net.wire('alice:eth0').impair({ match: 'tcp', nth: '2', loss: '100%' });
  await net.freeze('bob').catch((error: unknown) => error instanceof EmuError && error.code === 'EMU_NO_DEVICE');
  return [await net.host('alice').fetch('http://10.0.0.2/'), await net.verdicts()];
}
// ${MUST_FAIL} A knob that there is not.
export const wrong = async (): Promise<void> => void (await (await lab('x')).wire('a').impair({ los: '5%' }));
// ${MUST_FAIL} An engine that there is not.
export const engine = (): unknown => lab('x', { engine: 'dokcer' });
`;
  writeFileSync(join(folder, 'user.test.mts'), test);
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noPropertyAccessFromIndexSignature: true,
    verbatimModuleSyntax: true,
    skipLibCheck: false,
    noEmit: true,
    target: 'es2022',
    lib: ['es2022', 'esnext.disposable'],
    module: 'nodenext',
    types: [],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['user.test.mts'] }));
  const answer = await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder]).catch(
    (error: { stdout: string }) => error,
  );
  expect(answer.stdout).toBe('');
});
