import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { checkLab } from '../../../shared/lab/check.ts';
import { labJsonSchema } from '../../../shared/lab/json-schema.ts';
import { BAD_EDITS, GOOD_LAB } from './bad-labs.ts';

const LABS = join(import.meta.dirname, '..', '..', '..', 'labs');
const validate = new Ajv({ strict: false, allErrors: true }).compile(labJsonSchema());

test.each(['url-to-page', 'two-hosts', 'lossy-link', 'napi'])('%s fits the published schema', (lab) => {
  expect(validate(parse(readFileSync(join(LABS, lab, 'lab.yaml'), 'utf8'))), JSON.stringify(validate.errors)).toBe(
    true,
  );
});

describe('the schema never refuses what the checker takes, and refuses much of what it refuses', () => {
  test('the good lab', () => expect(validate(parse(GOOD_LAB))).toBe(true));

  test.each([
    'an unknown key',
    'an unknown kind',
    'an unknown knob',
    'an impossible delay',
    'a loss without its unit',
    'a server without a role',
  ])('%s', (of) => {
    const { edits } = BAD_EDITS.find((bad) => bad.of === of) ?? { edits: [] };
    const text = edits.reduce((lab, [from, to]) => lab.replace(from, to), GOOD_LAB);
    expect(validate(parse(text))).toBe(false);
  });

  test('every value that a key may have', () => {
    const text = `name: all
description: everything
seed: 4294967295
devices:
  h:
    kind: host
    eth0: { address: [10.0.0.1/24, 10.0.0.2/24], mac: "02:00:00:00:00:01", mtu: 1400 }
    eth1:
    eth2: [10.0.1.1/24]
    gateway: 10.0.0.3
    routes: [ 10.9.0.0/16 via 10.0.0.3 dev eth0 metric 5, 10.8.0.0/16 dev eth2 ]
    dns: [10.0.0.3]
    search: [a.test, b.test]
    hosts: { 10.0.0.3: [r, router], 10.0.0.9: other name }
    run: [ "nc -l 80" ]
    sysctl: { net.ipv4.tcp_rmem: 4096 131072 6291456, net.ipv4.ip_default_ttl: 32 }
    cpu: { irq: 1us, poll: 2us, packet: 1.5ms }
  r: { kind: router, eth0: 10.0.0.3/24, eth1: 10.0.2.1/24, eth2: , eth3: 203.0.113.1/24, lan: [eth1, eth2], nat: eth3 }
  d: { kind: dns, role: tld, zones: { com: a.zone, ".": b } }
  l: { kind: dns, role: local, hints: named.root }
  s: { kind: switch, ports: 3 }
wires:
  - h:eth0 -- s:p1: { delay: 5ms, jitter: 1ms, distribution: pareto, loss: 0.5%, duplicate: 1 %, reorder: 1%, gap: 5, corrupt: 0.01%, rate: 1.5Gbit, limit: 10, mtu: 1400 }
  - r:eth0 -- s:p2: { "->": { loss: 1%, delay: .5ms, rate: 1MiBps }, "<-": { loss: 0, delay: 5secs, rate: 10mbps, duplicate: 1e-3% } }
`;
    expect(checkLab(text, { file: 'lab.yaml' }).problems).toEqual([]);
    expect(validate(parse(text)), JSON.stringify(validate.errors)).toBe(true);
  });
});
