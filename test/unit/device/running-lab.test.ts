import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import {
  claimLab,
  logFolder,
  type RunningLab,
  removeLab,
  runningLabs,
  startOf,
  stateFile,
  updateLab,
} from '../../../shared/device/running-lab.ts';

const base = mkdtempSync(join(tmpdir(), 'wirelab-state-'));
const folder = join(base, 'wirelab');
afterAll(() => rmSync(base, { recursive: true, force: true }));

const lab = (name: string, more: Partial<RunningLab> = {}): RunningLab => ({
  lab: name,
  state: 'starting',
  engine: 'processes',
  folder: '/labs/x',
  pid: process.pid,
  pidStart: Math.max(0, startOf(process.pid)),
  since: 0,
  clockOrigin: 0,
  gateway: 'http://127.0.0.1:1',
  token: '',
  ...more,
});

test('a lab claims its name once, in files that only its user can read', () => {
  expect(claimLab(folder, lab('one'))).toBe(true);
  expect(claimLab(folder, lab('one'))).toBe(false);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(statSync(stateFile(folder, 'one')).mode & 0o777).toBe(0o600);
  updateLab(folder, lab('one', { state: 'up', token: 'secret' }));
  expect(statSync(stateFile(folder, 'one')).mode & 0o777).toBe(0o600);
  expect(runningLabs(folder)).toMatchObject([{ lab: 'one', state: 'up', token: 'secret' }]);
});

test('what a dead supervisor left, or one whose number another process has now, is removed by who looks', () => {
  claimLab(folder, lab('dead', { pid: 2_000_000_000 }));
  claimLab(folder, lab('reused', { pidStart: 1 }));
  writeFileSync(join(folder, 'broken.json'), '{');
  expect(runningLabs(folder).map((found) => found.lab)).toEqual(['one']);
  expect(runningLabs(folder)).toHaveLength(1);
  rmSync(join(folder, 'broken.json'));
});

test('files of another supervisor are left alone, and the folder goes with the last lab', () => {
  removeLab(folder, 'one', 1);
  expect(runningLabs(folder)).toHaveLength(1);
  removeLab(folder, 'one', process.pid);
  expect(() => statSync(logFolder(folder, 'one'))).toThrow('ENOENT');
  expect(() => statSync(folder)).toThrow('ENOENT');
});
