/** Any question with any values in its fields: an answer or an errno, and the listings and a ping still work afterwards. */
import { expect, test } from 'vitest';
import type { Mac } from '../../shared/header/address.ts';
import { isErrno } from '../../shared/net/errno.ts';
import type { NetlinkName, NetlinkQuery } from '../../shared/net/netlink.ts';
import { programs } from '../../shared/programs/registry.ts';
import { attach, Cable, ip, makeHost, newClock } from '../kit/cable.ts';
import { pick } from '../kit/mutate.ts';
import { runOn } from '../kit/programs.ts';
import { TEST_SEED, testRandom } from '../kit/random.ts';

const HOSTS = 20;
const QUESTIONS = 300;
const NAMES: readonly NetlinkName[] = [
  ...([
    'RTM_GETLINK',
    'RTM_SETLINK',
    'RTM_GETADDR',
    'RTM_NEWADDR',
    'RTM_DELADDR',
    'RTM_GETROUTE',
    'RTM_LOOKUP',
  ] as const),
  ...([
    'RTM_NEWROUTE',
    'RTM_NEWROUTE',
    'RTM_DELROUTE',
    'RTM_GETNEIGH',
    'RTM_NEWNEIGH',
    'RTM_DELNEIGH',
    'RTM_FLUSHNEIGH',
  ] as const),
  ...(['SOCK_DIAG', 'NFT_GETTABLE', 'CT_GET', 'CT_FLUSH', 'ETHTOOL'] as const),
];
const ADDRESSES = [
  '0.0.0.0',
  '10.0.0.1',
  '10.0.0.9',
  '10.0.1.0',
  '127.0.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '192.0.2.1',
].map(ip);
const FIELDS: Readonly<Record<string, readonly unknown[]>> = {
  dev: ['eth0', 'lo', 'eth9', '', '__proto__'],
  up: [true, false],
  mtu: [-1, 0, 67, 68, 576, 1_500, 9_000, 65_535, 65_536, 1.5],
  promiscuous: [true, false],
  mac: [0, 1, 0x0200_0000_0001, 0xffff_ffff_ffff] as Mac[],
  address: ADDRESSES,
  target: ADDRESSES,
  gateway: ADDRESSES,
  source: ADDRESSES,
  broadcast: ADDRESSES,
  prefix: [-1, 0, 1, 8, 24, 31, 32, 33, 255],
  metric: [-1, 0, 1, 2 ** 32],
  replace: [true, false],
  routeType: ['unicast', 'local', 'broadcast', 'blackhole', 'unreachable', 'prohibit', 'nosuch'],
  table: ['main', 'local', 'all', 'filter', 'nat', 'nosuch'],
  state: ['PERMANENT', 'REACHABLE', 'STALE', 'FAILED', 'NONE', 'NOARP'],
  protocols: [[], ['tcp'], ['udp', 'raw'], ['nosuch']],
};
const LINES = ['ip addr', 'ip -s link', 'ip route show table all', 'ip neigh', 'ss -tuna', 'arp -n', 'route -n'];
const SYSCTL_VALUES = [
  '',
  '-1',
  '0',
  '1',
  '2',
  '4096 87380',
  '99999999999999999999',
  'x',
  '1 2 3 4',
  '0x10',
  'cubic',
  '1.5',
  ' 1\n',
];

test(`any question and any setting is answered, and the host goes on (seed ${TEST_SEED})`, async () => {
  const random = testRandom('netlink');
  let answered = 0;
  for (let n = 0; n < HOSTS; n++) {
    const clock = newClock();
    const cable = new Cable(clock);
    const host = makeHost(`host${n}`, clock);
    host.processes.programs = programs;
    attach(host, 'eth0', cable, { addresses: ['10.0.0.1/24'] });
    attach(makeHost('other', clock), 'eth0', cable, { addresses: ['10.0.0.2/24'] });
    const settings = host.procfs.below('/proc/sys');
    for (let i = 0; i < QUESTIONS; i++) {
      const query: Record<string, unknown> = { type: pick(random, NAMES) };
      for (const [field, values] of Object.entries(FIELDS))
        if (random.below(2) === 0) query[field] = pick(random, values);
      // As much as the types promise: what is not optional is there.
      for (const field of ['dev', 'address', 'target', 'prefix', 'mac', 'table'])
        query[field] ??= pick(random, FIELDS[field] ?? []);
      const asked = host.netlink.ask(query as unknown as NetlinkQuery);
      if (!isErrno(asked) && !isErrno(asked.answer)) answered++;
      if (random.below(4) === 0)
        host.procfs.lookup(`/proc/sys/${pick(random, settings)}`)?.write?.(pick(random, SYSCTL_VALUES));
      clock.advance(random.below(100_000));
    }
    for (const line of LINES) {
      const { err } = await runOn(host, clock, line);
      expect(err, line).not.toMatch(/ at .*:\d+/);
    }
    const { err } = await runOn(host, clock, 'ping -c 1 -W 1 10.0.0.2');
    expect(err).not.toMatch(/ at .*:\d+/);
    host.processes.killAll('SIGTERM');
    clock.advance(600_000_000);
    expect(host.skbs.counters.live).toBe(0);
  }
  expect(answered).toBeGreaterThan(HOSTS * 20);
});
