import { describe, expect, test } from 'vitest';
import { type CheckOptions, checkLab } from '../../../shared/lab/check.ts';
import { formatProblem, formatProblems } from '../../../shared/lab/problem.ts';
import { Sysctl } from '../../../shared/net/sysctl.ts';
import { BAD_EDITS, BAD_FILES, GOOD_LAB } from './bad-labs.ts';

const FILES = new Map<string, 'file' | 'folder'>([
  ['site/', 'folder'],
  ['named.root', 'file'],
]);

const SYSCTL = new Sysctl();
SYSCTL.number('net.ipv4.ip_forward', 0);
SYSCTL.number('net.ipv4.ip_default_ttl', 64, { min: 1, max: 255 });
SYSCTL.number('net.ipv4.conf.default.rp_filter', 0);
SYSCTL.readOnly('net.ipv4.fixed', () => '0');

const OPTIONS: CheckOptions = {
  file: 'lab.yaml',
  programs: ['httpd', 'browser', 'nc'],
  sysctl: SYSCTL,
  fileAt: (path) => FILES.get(path),
  filesIn: () => ['site/', 'named.root'],
};

function saysOf(text: string, options = OPTIONS): string[] {
  return checkLab(text, options).problems.map((problem) => formatProblem(problem).replace(/^lab\.yaml:/, ''));
}

function edited(...edits: readonly (readonly [string, string])[]): string {
  let text = GOOD_LAB;
  for (const [from, to] of edits) {
    expect(text).toContain(from);
    text = text.replace(from, () => to);
  }
  return text;
}

test('a good lab has no problems', () => {
  expect(saysOf(GOOD_LAB)).toEqual([]);
  expect(checkLab(GOOD_LAB, OPTIONS).lab?.devices.map(({ name }) => name.value)).toEqual([
    'alice',
    'bob',
    'r',
    'ns',
    'sw',
  ]);
});

describe('a lab file is refused, with place, reason, expectation and proposal, for', () => {
  test.each(BAD_EDITS)('$of', ({ edits, says }) => {
    const text = edited(...edits);
    expect(saysOf(text)).toEqual(says);
    expect(checkLab(text, OPTIONS).lab).toBeUndefined();
  });

  test.each(BAD_FILES)('$of', ({ file, says }) => {
    expect(saysOf(file)).toEqual(says);
  });
});

test('all problems of a file are told at once, in its order, each with its line and carets', () => {
  const text = edited(['eth0: 10.0.0.1/24 }', 'eth0: 10.0.0.1/24, gatway: 10.0.0.9 }'], ['loss: 1%', 'loss: 140%']);
  expect(formatProblems(checkLab(text, { ...OPTIONS, file: 'labs/x/lab.yaml' }).problems)).toBe(
    [
      'labs/x/lab.yaml:3:43: unknown key "gatway" in device alice (host); expected one of kind, gateway, routes, dns, ' +
        'search, hosts, run, sysctl, cpu, ethN; did you mean "gateway"?',
      '    3 |   alice: { kind: host, eth0: 10.0.0.1/24, gatway: 10.0.0.9 }',
      '      |                                           ^^^^^^',
      'labs/x/lab.yaml:10:44: impossible value "140%" for loss of wire bob:eth0--sw:p2; expected a percentage, or gemodel P [R [1-H [1-K]]] as in tc-netem(8), such as gemodel 1% 20%',
      '   10 |   - bob:eth0 -- sw:p2: { delay: 5ms, loss: 140% }',
      '      |                                            ^^^^',
      '2 problems in labs/x/lab.yaml',
    ].join('\n'),
  );
});

test('a line with tabs keeps them before the caret, so that the caret stands below the place', () => {
  const text = edited(['name: x', 'name: x\ndescription:\t[]']);
  expect(formatProblems(checkLab(text, OPTIONS).problems).split('\n').slice(1, 3)).toEqual([
    '    2 | description:\t[]',
    '      |             \t^^',
  ]);
});

test('two homes behind NAT may use the same private addresses', () => {
  const text = `name: homes
devices:
  a: { kind: host, eth0: 192.168.1.10/24 }
  ra: { kind: router, eth0: 203.0.113.1/24, eth1: 192.168.1.1/24, nat: eth0 }
  b: { kind: host, eth0: 192.168.1.10/24 }
  rb: { kind: router, eth0: 203.0.113.2/24, eth1: 192.168.1.1/24, nat: eth0 }
wires:
  - a:eth0 -- ra:eth1
  - b:eth0 -- rb:eth1
  - ra:eth0 -- rb:eth0
`;
  expect(saysOf(text)).toEqual([]);
  expect(saysOf(text.replaceAll(', nat: eth0', ''))).toEqual([
    '5:26: b:eth0 has the address 192.168.1.10 of a:eth0; expected an address of its own in 192.168.1.0/24; 192.168.1.11 is free',
    '6:51: rb:eth1 has the address 192.168.1.1 of ra:eth1; expected an address of its own in 192.168.1.0/24; 192.168.1.2 is free',
  ]);
});

test('a LAN goes through switches and through the bridged ports of a home router', () => {
  const text = `name: bridged
devices:
  a: { kind: host, eth0: 10.0.0.1/24, gateway: 10.0.0.9 }
  b: { kind: host, eth0: 10.0.1.2/24 }
  s: { kind: switch }
  r: { kind: router, eth0: 10.0.0.9/24, eth1: , lan: [eth0, eth1] }
wires:
  - a:eth0 -- s:p1
  - s:p2 -- r:eth0
  - b:eth0 -- r:eth1
`;
  expect(saysOf(text)).toEqual([
    '4:26: b:eth0 (10.0.1.2/24) shares no subnet with its LAN (a:eth0 10.0.0.1/24, r:eth0 10.0.0.9/24); expected an address in 10.0.0.0/24',
  ]);
});

test('two subnets may share one switch', () => {
  const text = edited(['10.0.0.1/24 }', '10.1.0.1/24 }'], ['eth0: 10.0.0.9/24', 'eth0: [10.0.0.9/24, 10.1.0.9/24]']);
  expect(saysOf(text)).toEqual([]);
});

test('what is not handed in is not checked: programs, sysctls, files', () => {
  const text = edited(
    ['httpd site/', 'nosuch thing'],
    ['named.root', 'nowhere'],
    ['nat: eth1', 'nat: eth1, sysctl: { a.b: 1 }'],
  );
  expect(saysOf(text, { file: 'lab.yaml' })).toEqual([]);
});

test('a byte order mark moves nothing', () => {
  expect(saysOf(`\ufeff${GOOD_LAB}`)).toEqual([]);
  expect(saysOf('\ufeffnames: x\ndevices: { a: { kind: host } }')[0]).toMatch(/^1:1: unknown key "names"/);
});

test('aliases repeat a value, and one that holds itself is refused', () => {
  const alias = `name: a\ndevices:\n  a: &h { kind: host }\n  b: *h\n`;
  expect(saysOf(alias)).toEqual([]);
  expect(saysOf('name: a\ndevices: &d\n  a: *d\n').length).toBeGreaterThan(0);
  expect(saysOf('name: &a [ *a ]\n')[0]).toMatch(/nested too deeply/);
});

test('a billion laughs end early', () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 12; i++)
    lines.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    );
  expect(saysOf(lines.join('\n'))[0]).toMatch(/nested too deeply/);
});

test('a file of a hundred thousand brackets, or of more characters than a lab has, is refused', () => {
  expect(saysOf('['.repeat(100_000)).length).toBeGreaterThan(0);
  expect(saysOf('x'.repeat(1_000_001))[0]).toBe(
    '1:1: the file is 1000001 characters long; expected a lab file of at most 1000000',
  );
});
