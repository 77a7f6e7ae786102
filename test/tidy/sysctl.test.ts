/** No knob that nothing obeys: the value of every name in the sysctl tree is read by code. */
import { describe, expect, test } from 'vitest';
import { conntrackEnable } from '../../shared/net/conntrack.ts';
import { attach, Cable, makeHost, newClock } from '../kit/cable.ts';
import { textOf, trackedFiles } from '../kit/sources.ts';

const code = trackedFiles('.ts').filter((path) => path.startsWith('shared/') || path.startsWith('services/'));
const texts = new Map(code.map((path) => [path, textOf(path)]));
const everything = [...texts.values()].join('\n');
const kernel = [...texts].flatMap(([path, text]) => (path.startsWith('shared/net/') ? [text] : [])).join('\n');

/** Still to be obeyed: a name leaves this list when it is, and none comes in. */
const NOT_YET: readonly string[] = [
  'tcp_retries1',
  'tcp_max_syn_backlog',
  'tcp_syncookies',
  'tcp_stdurg',
  'tcp_challenge_ack_limit',
  'tcp_mtu_probing',
  'tcp_rto_min_us',
  'tcp_no_metrics_save',
];

/** Fields that hold a knob: `name: number('tcp_sack', 1)`, `this.name = sysctl.number(...)`, `const name = ...`. */
const REGISTERED =
  /(?:^|[\s{(.])(\w+)(?:: | = )(?:this\.)?(?:host\.)?(?:sysctl\.(?:number|vector|text)|number|n|one)\(\s*[`']([\w.${}]+)[`']/g;

/** What a reader looks like: `.name.value`, `.name.values`, or the field taken out by its name and read. */
function isRead(field: string): boolean {
  if (new RegExp(`\\.${field}\\.values?\\b`).test(everything)) return true;
  const taken = new RegExp(`\\{[^{}]*\\b${field}\\b[^{}]*\\} = `);
  for (const text of texts.values()) {
    if (taken.test(text) && new RegExp(`\\b${field}\\.values?\\b`).test(text)) return true;
  }
  return false;
}

/** Everything that a host with connection tracking has. */
function namesOfAHost(): readonly string[] {
  const host = makeHost('host', newClock());
  conntrackEnable(host);
  return host.sysctl.names();
}

function holders(): { field: string; name: string }[] {
  const names = namesOfAHost();
  return [...kernel.matchAll(REGISTERED)]
    .map(([, field = '', name = '']) => ({ field, name }))
    .filter(({ name }) =>
      names.some((full) => full === name || full.endsWith(`.${name}`) || full.endsWith(`.nf_conntrack_${name}`)),
    );
}

describe('sysctls', () => {
  test('every field that holds one is read somewhere', () => {
    const fields = holders();
    expect(fields.length).toBeGreaterThan(80);
    const inert = fields.filter(({ field }) => !isRead(field)).map(({ name }) => name);
    expect(inert.filter((name) => !NOT_YET.includes(name))).toEqual([]);
  });

  test('none is registered and thrown away', () => {
    const dropped = code.flatMap((path) =>
      (texts.get(path) ?? '')
        .split('\n')
        .filter((line) => /^\s*(this\.)?(host\.)?sysctl\.(number|vector|text)\(/.test(line))
        .filter((line) => !line.includes('changed'))
        .map((line) => `${path}: ${line.trim()}`),
    );
    // A helper's own line, whose answer its caller keeps.
    expect(dropped.filter((line) => !line.includes('${'))).toEqual([]);
  });

  test('every name of net.ipv4.conf and net.ipv4.neigh is asked for by name', () => {
    const clock = newClock();
    const host = makeHost('host', clock);
    attach(host, 'eth0', new Cable(clock), { addresses: ['10.0.0.1/24'] });
    const last = (prefix: string) =>
      host.sysctl
        .names()
        .filter((name) => name.startsWith(prefix))
        .map((name) => name.slice(prefix.length));
    const conf = last('net.ipv4.conf.eth0.');
    expect(conf.length).toBeGreaterThan(20);
    const asked = (word: string) =>
      new RegExp(`(own|both|either|larger)\\(\\s*[\\w.]+,\\s*'${word}'\\s*,?\\s*\\)|conf\\.${word}\\.value`).test(
        everything,
      );
    expect(conf.filter((word) => !asked(word))).toEqual([]);
    const parms = textOf('shared/net/neighbour-parms.ts');
    const neigh = last('net.ipv4.neigh.eth0.').filter((word) => word !== 'unres_qlen');
    expect(neigh.filter((word) => !new RegExp(`values\\.${word}\\b`).test(parms))).toEqual([]);
  });

  test('the test itself: a field that nobody reads is found', () => {
    expect(isRead('noSuchFieldIsReadAnywhere')).toBe(false);
    expect(isRead('defaultTtl')).toBe(true);
  });
});
