import { expect, test } from 'vitest';
import { Filesystem, normalisePath } from '../../../shared/net/filesystem.ts';
import { Procfs } from '../../../shared/net/procfs.ts';
import { folderPlatform, run, testHost } from '../../kit/loop-host.ts';

const text = (bytes: Uint8Array | string): string =>
  typeof bytes === 'string' ? bytes : new TextDecoder().decode(bytes);

test('a path is normalised before anything is looked up', () => {
  expect(normalisePath('site/../a//b/./c/')).toBe('/lab/a/b/c');
  expect(normalisePath('../../../../etc/hosts')).toBe('/etc/hosts');
  expect(normalisePath('/')).toBe('/');
});

test('no path leads out of the lab folder', () => {
  const asked: string[] = [];
  const lower = { ...folderPlatform(), readFile: (path: string) => void asked.push(path) };
  const filesystem = new Filesystem(lower, new Procfs());
  for (const path of ['../secret', 'a/../../secret', '/lab/../../secret', '/lab/a/../b', '..', '']) {
    expect(typeof filesystem.readFile(path)).toBe('string');
  }
  expect(asked).toEqual(['b']);
});

test("the lab's files are read, listed, and never changed: what is written stands above them", () => {
  const files = { 'site/index.html': 'hello', 'lab.yaml': 'x' };
  const { host } = testHost(files);
  const { filesystem } = host;
  expect(text(filesystem.readFile('site/index.html'))).toBe('hello');
  expect(filesystem.readDirectory('.')).toEqual(['lab.yaml', 'site']);
  expect(filesystem.writeFile('site/index.html', new TextEncoder().encode('changed'))).toBeUndefined();
  expect(text(filesystem.readFile('site/index.html'))).toBe('changed');
  expect(files['site/index.html']).toBe('hello');
});

test('what /proc shows is made when it is read', async () => {
  const lab = testHost();
  lab.clock.advance(2_500_000);
  expect(text(lab.host.filesystem.readFile('/proc/uptime'))).toBe('2.50 2.50\n');
  expect((await run(lab, 'cat', ['cat', '/proc/nope'])).err).toBe('cat: /proc/nope: No such file or directory\n');
  expect(lab.host.filesystem.writeFile('/proc/uptime', new Uint8Array())).toBe('EACCES');
});

test('a file needs a folder to stand in, and a folder is no file', () => {
  const { filesystem } = testHost().host;
  expect(filesystem.writeFile('/nowhere/file', new Uint8Array())).toBe('ENOENT');
  expect(filesystem.readFile('/etc')).toBe('EISDIR');
  expect(filesystem.writeFile('/etc', new Uint8Array())).toBe('EISDIR');
});

test('/dev/null takes all and gives nothing', () => {
  const { filesystem } = testHost().host;
  expect(filesystem.writeFile('/dev/null', new Uint8Array(1_000))).toBeUndefined();
  expect(filesystem.readFile('/dev/null')).toEqual(new Uint8Array());
  expect(filesystem.readDirectory('/dev')).toEqual(['null']);
});

test('a part of /proc lists its files only for a folder that they may be in', () => {
  let listed = 0;
  const procfs = new Procfs();
  procfs.registerFolder('/proc/sys', {
    lookup: () => undefined,
    list: () => {
      listed++;
      return ['net/ipv4/ip_forward'];
    },
  });
  const filesystem = new Filesystem(folderPlatform(), procfs);
  filesystem.writeText('/etc/hostname', 'alice\n');
  expect(listed).toBe(0);
  expect(filesystem.readDirectory('/proc')).toEqual(['sys']);
  expect(filesystem.readDirectory('/proc/sys/net')).toEqual(['ipv4']);
  expect(filesystem.readDirectory('/')).toContain('proc');
});
