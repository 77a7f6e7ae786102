import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, test } from 'vitest';

/**
 * Who may import whom (the house's walls). A room is named by the start of its path; `types` may be imported for their
 * shape alone. What is not listed is forbidden.
 */
const WALLS: Readonly<Record<string, { readonly code: readonly string[]; readonly types?: readonly string[] }>> = {
  'shared/header/': { code: ['shared/header/'] },
  'shared/net/': { code: ['shared/net/', 'shared/header/', 'shared/platform.ts'] },
  'shared/nic/': {
    code: [
      'shared/nic/',
      'shared/header/',
      'shared/platform.ts',
      'shared/wire/frame-batch.ts',
      'shared/net/netdev.ts',
      'shared/net/netdev-registry.ts',
      'shared/net/skbuff.ts',
      'shared/net/drop.ts',
      'shared/net/qdisc.ts',
    ],
    types: ['shared/wire/wire.ts', 'shared/net/'],
  },
  'shared/bridge/': {
    code: [
      'shared/bridge/',
      'shared/nic/',
      'shared/header/',
      'shared/platform.ts',
      'shared/wire/frame-batch.ts',
      'shared/net/netdev.ts',
      'shared/net/netdev-registry.ts',
      'shared/net/skbuff.ts',
      'shared/net/qdisc.ts',
      'shared/net/rtnetlink.ts',
      'shared/net/netlink-table.ts',
    ],
    types: ['shared/wire/wire.ts', 'shared/net/'],
  },
  'shared/dns/': {
    code: ['shared/dns/', 'shared/header/', 'shared/platform.ts'],
    types: ['shared/net/syscalls.ts', 'shared/net/trace.ts'],
  },
  'shared/programs/': {
    code: [
      'shared/programs/',
      'shared/dns/',
      'shared/header/',
      'shared/platform.ts',
      'shared/net/errno.ts',
      'shared/net/sock.ts',
      'shared/net/drop.ts',
    ],
    types: ['shared/net/'],
  },
  'shared/wire/': { code: ['shared/'] },
  'shared/device/': { code: ['shared/'] },
  'shared/lab/': { code: ['shared/'] },
  'services/host/': { code: ['services/host/', 'shared/'] },
  'services/switch/': { code: ['services/switch/', 'shared/'] },
  'services/router/': { code: ['services/router/', 'shared/'] },
  'services/dns/': { code: ['services/dns/', 'shared/'] },
  'services/gateway/': { code: ['services/gateway/', 'services/dashboard/page.ts', 'shared/'] },
  'services/dashboard/': { code: ['services/dashboard/', 'shared/header/', 'shared/device/capture-format.ts'] },
  'services/lab/': { code: ['services/', 'shared/'] },
};

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'gen' || entry.name === 'node_modules' ? [] : sources(path);
    return entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts') ? [path] : [];
  });
}

/** Relative imports of a file: what it names, and whether for types alone. */
function importsOf(path: string): { target: string; isType: boolean }[] {
  const code = readFileSync(path, 'utf8');
  const found: { target: string; isType: boolean }[] = [];
  for (const match of code.matchAll(/^(?:import|export)\s+(type\s+)?([^;]*?)from\s+'(\.[^']+)'/gms)) {
    const names = (match[2] ?? '')
      .replace(/[{}]/g, '')
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
    const isType = match[1] !== undefined || names.every((part) => part.startsWith('type '));
    found.push({ target: posix.join(posix.dirname(path), match[3] ?? ''), isType });
  }
  return found;
}

const files = [...sources('shared'), ...sources('services')];

describe('the walls of the house stand', () => {
  test.each(Object.keys(WALLS))('%s imports only what it may', (room) => {
    const wall = WALLS[room];
    const wrong: string[] = [];
    for (const path of files.filter((file) => file.startsWith(room))) {
      for (const { target, isType } of importsOf(path)) {
        const allowed = isType ? [...(wall?.code ?? []), ...(wall?.types ?? [])] : (wall?.code ?? []);
        if (!allowed.some((prefix) => target.startsWith(prefix)))
          wrong.push(`${path} -> ${target}${isType ? ' (types)' : ''}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('Node’s modules and the machine’s clock are used only in the rooms of I/O', () => {
    const io =
      /^(shared\/(wire\/(websocket|connection|hello|wire-server)|device\/|lab\/|programs\/(node|httpd|curl|browser))|services\/)/;
    const wrong = files.filter(
      (path) =>
        !io.test(path) &&
        /from 'node:|from 'ws'|\bsetTimeout\(|\bDate\.now\(|\bMath\.random\(/.test(readFileSync(path, 'utf8')),
    );
    expect(wrong).toEqual([]);
  });
});

test('half of the files are under 150 lines', () => {
  const lines = files.map((path) => readFileSync(path, 'utf8').split('\n').length).sort((a, b) => a - b);
  expect(lines[Math.floor(lines.length / 2)]).toBeLessThan(150);
});
