/** The stub resolver's patience and order, as measured on glibc 2.36 with servers that are silent, closed or broken. */
import { afterEach, expect, test } from 'vitest';
import { encodeReply, receiveQuery } from '../../shared/dns/respond.ts';
import { parseIpv4 } from '../../shared/header/address.ts';
import { RCODE } from '../../shared/header/dns-type.ts';
import type { Program } from '../../shared/net/syscalls.ts';
import { SECOND } from '../../shared/platform.ts';
import { serveDns } from '../../shared/programs/dns-server.ts';
import { type TestLab, testLab } from '../kit/lab.ts';

const LAB = `name: stub
devices:
  alice: { kind: host, eth0: 10.0.0.1/24, dns: [10.0.0.2, 10.0.0.3] }
  one: { kind: host, eth0: 10.0.0.2/24 }
  two: { kind: host, eth0: 10.0.0.3/24 }
  sw: { kind: switch }
wires:
  - alice:eth0 -- sw:p1
  - one:eth0 -- sw:p2
  - two:eth0 -- sw:p3
`;

type Behaviour = 'silent' | 'servfail' | 'refused' | 'nxdomain' | 'answers' | 'closed';

interface Query {
  readonly at: number;
  readonly server: string;
  readonly id: number;
  readonly name: string;
}

/** A name server that behaves as it is told, and writes down what it is asked. */
function server(name: string, behaviour: Behaviour, queries: Query[]): Program {
  return async ({ sys }) => {
    await serveDns(sys, { address: parseIpv4('0.0.0.0') ?? (0 as never), port: 53 }, async (thread, { bytes }) => {
      const incoming = receiveQuery(bytes, { recursionAvailable: true, tcp: false });
      if (incoming.kind !== 'query') return [];
      const { query, question } = incoming;
      queries.push({ at: thread.clockGettime(), server: name, id: query.id, name: question.name });
      if (behaviour === 'silent') return [];
      const rcode = {
        servfail: RCODE.SERVFAIL,
        refused: RCODE.REFUSED,
        nxdomain: RCODE.NXDOMAIN,
        answers: 0,
        closed: 0,
      }[behaviour];
      const answers = rcode === 0 ? [{ ...question, ttl: 60, data: Uint8Array.of(192, 0, 2, 1) }] : [];
      return [encodeReply(query, { rcode, answers, recursionAvailable: true }, false)];
    });
    return 0;
  };
}

let lab: TestLab | undefined;
afterEach(() => lab?.lab.stop());

async function lookUp(one: Behaviour, two: Behaviour, name = 'a.b.test', resolvConf = '') {
  lab = testLab(LAB);
  const queries: Query[] = [];
  const sink = { stdout: () => {}, stderr: () => {} };
  if (one !== 'closed') lab.lab.device('one').host.processes.spawn(server('one', one, queries), ['server'], sink);
  if (two !== 'closed') lab.lab.device('two').host.processes.spawn(server('two', two, queries), ['server'], sink);
  if (resolvConf !== '') lab.lab.device('alice').host.filesystem.writeText('/etc/resolv.conf', resolvConf);
  await lab.advance(SECOND);
  const started = lab.clock.now();
  const { status, out } = await lab.run('alice', `getent hosts ${name}`);
  const seconds = (at: number) => Math.round((at - started) / SECOND);
  return {
    status,
    out,
    took: seconds(lab.clock.now()),
    asked: queries.map((query) => `${query.server}@${seconds(query.at)}`),
    names: queries.map((query) => query.name),
    ids: new Set(queries.map((query) => query.id)).size,
  };
}

test('two silent servers are asked in turn, five seconds each, twice, with one ID; then it fails after twenty seconds', async () => {
  expect(await lookUp('silent', 'silent')).toMatchObject({
    status: 2,
    took: 20,
    asked: ['one@0', 'two@5', 'one@10', 'two@15'],
    ids: 1,
  });
});

test('one silent server is asked twice and given up after ten seconds', async () => {
  const conf = 'nameserver 10.0.0.2\n';
  expect(await lookUp('silent', 'closed', 'a.b.test', conf)).toMatchObject({ took: 10, asked: ['one@0', 'one@5'] });
});

test('after a silent first server the second answers, five seconds later', async () => {
  expect(await lookUp('silent', 'answers')).toMatchObject({ status: 0, took: 5, out: '192.0.2.1       a.b.test\n' });
});

test.each(['servfail', 'refused', 'closed'] as const)(
  'a first server that is %s: the second is asked at once',
  async (first) => {
    expect(await lookUp(first, 'answers')).toMatchObject({ status: 0, took: 0, out: '192.0.2.1       a.b.test\n' });
  },
);

test('NXDOMAIN is an answer: no other server is asked', async () => {
  expect(await lookUp('nxdomain', 'answers')).toMatchObject({ status: 2, took: 0, asked: ['one@0'] });
});

test('a name without a dot is tried in the search list first; one with dots as it is; one with a final dot only so', async () => {
  const conf = 'nameserver 10.0.0.2\nsearch one.test two.test\n';
  expect((await lookUp('nxdomain', 'closed', 'host', conf)).names).toEqual([
    'host.one.test.',
    'host.two.test.',
    'host.',
  ]);
  lab?.lab.stop();
  expect((await lookUp('nxdomain', 'closed', 'host.sub', conf)).names).toEqual([
    'host.sub.',
    'host.sub.one.test.',
    'host.sub.two.test.',
  ]);
  lab?.lab.stop();
  expect((await lookUp('nxdomain', 'closed', 'host.sub.', conf)).names).toEqual(['host.sub.']);
  lab?.lab.stop();
  const five = `${conf}options ndots:5\n`;
  expect((await lookUp('nxdomain', 'closed', 'host.sub.x', five)).names).toEqual([
    'host.sub.x.one.test.',
    'host.sub.x.two.test.',
    'host.sub.x.',
  ]);
});
