/**
 * Our commands beside the real ones: a network namespace with the addresses of a lab, the same command line in both, and
 * what is the same for every machine compared: headers, columns, keys and their order, error texts, exit statuses.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestLab, testLab } from '../kit/lab.ts';

const NAMESPACE = `wirelab-peers-${process.pid}`;
const PEER = `${NAMESPACE}-b`;

const LAB = `name: peers
devices:
  alice: { kind: host, eth0: 10.0.0.1/24, gateway: 10.0.0.2 }
  bob: { kind: host, eth0: 10.0.0.2/24 }
wires:
  - alice:eth0 -- bob:eth0
`;

function ip(...words: string[]): void {
  execFileSync('ip', words, { stdio: 'ignore' });
}

/** Root, iproute2 and a kernel that lets us: otherwise there is nothing to compare with. */
function namespaceMade(): boolean {
  try {
    ip('netns', 'add', NAMESPACE);
    ip('netns', 'add', PEER);
    ip('-n', NAMESPACE, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', PEER);
    for (const name of [NAMESPACE, PEER]) {
      ip('netns', 'exec', name, 'sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1');
      ip('-n', name, 'link', 'set', 'lo', 'up');
      ip('-n', name, 'link', 'set', 'eth0', 'up');
    }
    ip('-n', NAMESPACE, 'addr', 'add', '10.0.0.1/24', 'brd', '+', 'dev', 'eth0');
    ip('-n', PEER, 'addr', 'add', '10.0.0.2/24', 'brd', '+', 'dev', 'eth0');
    ip('-n', NAMESPACE, 'route', 'add', 'default', 'via', '10.0.0.2');
    return true;
  } catch {
    return false;
  }
}

interface Answer {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

function real(line: string): Answer | undefined {
  const [program = '', ...words] = line.split(' ');
  const { status, stdout, stderr } = spawnSync('ip', ['netns', 'exec', NAMESPACE, program, ...words], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  if (status === null || /No such file or directory|exec of/.test(stderr) === true) return undefined;
  return { status, out: stdout, err: stderr };
}

const available = namespaceMade();
let lab: TestLab;

beforeAll(async () => {
  lab = testLab(LAB);
  await lab.run('alice', 'ping -c1 10.0.0.2');
  if (available) real('ping -c1 10.0.0.2');
});

afterAll(() => {
  lab.lab.stop();
  for (const name of [NAMESPACE, PEER]) spawnSync('ip', ['netns', 'del', name]);
});

/** Numbers, addresses of cards and the veth's other end differ; so do the trailing zeros of time. */
function normal(text: string): string {
  return text
    .replace(/^eth0@if[0-9]+ +/gm, 'eth0             ')
    .replace(/eth0@if[0-9]+/g, 'eth0')
    .replace(/ link-netns [^ \n]+/g, '')
    .replace(/\s*"link_index": ?[0-9]+,|,\s*"link_netnsid": ?[0-9]+/g, '')
    .replace(/([0-9a-f]{2}:){5}[0-9a-f]{2}/g, 'MAC')
    .replace(/qdisc [a-z_]+|"qdisc": ?"[a-z_]+"/g, 'QDISC')
    .replace(/\b(REACHABLE|STALE|DELAY|PROBE)\b/g, 'KNOWN')
    .replace(/= [0-9.]+(\/[0-9.]+)+ ms/g, '= N ms')
    .replace(/[0-9.]+ ?ms/g, 'N ms');
}

describe.skipIf(!available)(
  'byte for byte, but for what differs between machines (skipped without a network namespace or iproute2)',
  () => {
    test.each([
      'ip addr',
      'ip -br addr',
      'ip -o addr',
      'ip -j addr',
      'ip -p -j addr',
      'ip link',
      'ip -br link',
      'ip -j link',
      'ip route',
      'ip -j route',
      'ip -d route',
      'ip route show table local',
      'ip route get 10.0.0.2',
      'ip -j route get 10.1.2.3',
      'ip route get 10.0.0.1',
      'ip neigh',
      'ip -j neigh',
      'ip rule',
      'arp -n',
      'arp -an',
      'route -n',
      'route -en',
      'netstat -rn',
      'netstat -tan',
      'netstat -tunap',
      'ss -tan',
      'ss -tuan',
      'ss -s',
      'iptables -L',
      'iptables -t nat -L -v -n',
      'iptables -S',
      'ping -c1 10.0.0.2',
      'ping -c1 -q -I eth0 10.0.0.2',
      'sysctl net.ipv4.ip_default_ttl',
      'traceroute -n -q 1 10.0.0.2',
    ])('%s', async (line) => {
      const theirs = real(line);
      if (theirs === undefined) return;
      const ours = await lab.run('alice', line);
      // ss counts the kernel's own netlink sockets; only the table's shape is ours to keep.
      const shape = (text: string) =>
        line === 'ss -s' ? text.replace(/[0-9]+/g, 'N').replace(/ +/g, ' ') : normal(text);
      expect(shape(ours.out)).toBe(shape(theirs.out));
      expect(ours.status).toBe(theirs.status);
    });

    test.each([
      'ip link show nope',
      'ip link set nope up',
      'ip route add 10.5.0.0/16 via 10.77.0.1',
      'ip route add 10.5.0.1/16 via 10.0.0.2',
      'ip route del 10.77.0.0/16',
      'ip addr add 10.0.0.1/24 dev eth0',
      'ip addr del 10.44.0.1/24 dev eth0',
      'ip foo',
      'ip route foo',
      'ip neigh del 10.0.0.78 dev eth0',
      'arp -s 10.0.0.50',
      'arp -d 10.0.0.51',
      'route add -net 10.5.0.0/16',
      'route del -net 10.7.0.0/16',
      'ping -c 0 10.0.0.2',
      'ping -M foo 10.0.0.2',
      'ping -I nope 10.0.0.2',
      'traceroute -k 3',
      'traceroute -m 300 10.0.0.2',
      'iptables -A NOPE -j ACCEPT',
      'sysctl net.nope',
      'conntrack -L -p foo',
      'tcpdump -i nope',
      'tcpdump -i eth0 port x',
    ])('the error of %s', async (line) => {
      const theirs = real(line);
      if (theirs === undefined) return;
      const ours = await lab.run('alice', line);
      expect(`${ours.out}${ours.err}`).toBe(`${theirs.out}${theirs.err}`);
      expect(ours.status).toBe(theirs.status);
    });
  },
);
