/** Scenarios and sweeps on labs in this process, on virtual time. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type ChaosOptions, play, readScenario, sweep } from '../../services/lab/chaos.ts';

import { checkScenario } from '../../shared/lab/scenario.ts';
import { counterPrograms } from '../kit/counter.ts';
import { readPcapng } from '../kit/pcapng.ts';
import { virtualLab } from '../kit/virtual-lab.ts';

const folder = mkdtempSync(join(tmpdir(), 'wirelab-chaos-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** `server`: careful, or careless, who has the bug. */
function counting(server: string): string {
  const labFile = join(folder, `${server}.yaml`);
  writeFileSync(
    labFile,
    `name: counting
devices:
  alice: { kind: host, eth0: 10.0.0.1/24 }
  ${server}: { kind: host, eth0: 10.0.0.2/24 }
wires:
  - alice:eth0 -- ${server}:eth0: { delay: 1ms, loss: 0.5% }
`,
  );
  const file = join(folder, `${server}.chaos.yaml`);
  writeFileSync(
    file,
    `lab: ./${server}.yaml
steps:
  - spawn: counter
    on: ${server}
    as: server
  - exec: add 10.0.0.2 25
    on: alice
    stdout: "sum 25\\n"
`,
  );
  return file;
}

const options: ChaosOptions = { open: (name, how) => virtualLab(name, { ...how, programs: counterPrograms }) };

describe('a sweep', () => {
  test('finds a bug that few seeds show, keeps log, verdicts and frames of those, and one run repeats it', async () => {
    const file = counting('careless');
    const scenario = readScenario(file);
    const keep = join(folder, 'kept');
    const told: string[] = [];
    const failed = await sweep(file, scenario, { first: 1, last: 40 }, { ...options, keep }, (line) => told.push(line));
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.length).toBeLessThan(30);
    const [first] = failed;
    expect(first?.problem).toContain('careless.chaos.yaml:6: exec: add 10.0.0.2 25');
    expect(first?.problem).toContain('expected "sum 25');
    expect(told[0]).toContain(`seed ${first?.seed} failed:`);
    const kept = join(keep, `seed-${first?.seed}`);
    // The frame that broke it: an answer of the server's that was lost.
    expect(readFileSync(join(kept, 'verdicts.txt'), 'utf8')).toMatch(/careless:eth0 {2}frame \d+ {2}lost by loss 0.5%/);
    const comments = readPcapng(readFileSync(join(kept, 'frames.pcapng'))).map(({ comment }) => comment);
    expect(comments.some((comment) => comment.includes('lost by loss 0.5%'))).toBe(true);
    expect(existsSync(join(kept, 'run.txt'))).toBe(true);

    const again = { ...options, engine: 'packed', clock: 'virtual', seed: first?.seed, record: true } as const;
    const repeated = await play(file, scenario, again, () => {});
    expect({ ...repeated, pcapng: undefined }).toEqual({ ...first, pcapng: undefined });
    expect(Buffer.from(repeated.pcapng!).equals(Buffer.from(first!.pcapng!))).toBe(true);
  });

  test('finds nothing where the bug is mended', async () => {
    const file = counting('careful');
    const keep = join(folder, 'none');
    const failed = await sweep(file, readScenario(file), { first: 1, last: 40 }, { ...options, keep }, () => {});
    expect(failed).toEqual([]);
    expect(existsSync(keep)).toBe(false);
  });
});

async function playText(steps: string): Promise<{ passed: boolean; problem: string; lines: string[] }> {
  const file = join(folder, 'text.yaml');
  // The lab's own loss is no part of these stories.
  writeFileSync(file, `lab: two-hosts\nseed: 3\nsteps:\n  - impair: bob:eth0--sw:p2\n    loss: off\n${steps}`);
  const lines: string[] = [];
  const how = { engine: 'packed', clock: 'virtual', open: virtualLab } as const;
  const { passed, problem } = await play(file, readScenario(file), how, (line) => void lines.push(line));
  return { passed, problem, lines };
}

test('waves move a knob while steps go on, and leave it as it was', async () => {
  const ping = '  - exec: ping -c 1 10.0.0.2\n    on: alice\n    stdout: ';
  const wave = (shape: string, more: string): string =>
    `  - wave: alice:eth0\n    knob: delay\n    shape: ${shape}\n    from: 20ms\n${more}    over: 4s\n`;
  const at = (time: string, text: string): string => `  - wait: ${time}\n${ping}"${text}"\n`;
  for (const [shape, more, steps] of [
    ['constant', '', at('1s', 'time=30')],
    ['ramp', '    to: 420ms\n', `${at('1s', 'time=1')}${at('2s', 'time=3')}`],
    ['square', '    to: 300ms\n    period: 2s\n', `${at('500ms', 'time=30')}${at('700ms', 'time=31')}`],
  ] as const) {
    const { problem } = await playText(
      `  - exec: ping -c 1 10.0.0.2\n    on: alice\n${wave(shape, more)}${steps}${at('5s', 'time=10.')}`,
    );
    expect(problem, shape).toBe('');
  }
  const random = await playText(`${wave('random', '    to: 21ms\n')}${at('1s', 'time=60.')}`);
  expect(random.problem).toBe('');
});

test('a check that fails says its line, what was expected and what was found', async () => {
  const { passed, problem, lines } = await playText(`  - exec: ping -c 1 -W 1 10.0.0.2
    on: alice
  - unplug: alice:eth0
    for: 5s
  - carrier: alice:eth0
    within: 500ms
  - wait: 1s
`);
  expect(passed).toBe(false);
  expect(problem).toContain(
    'text.yaml:10: carrier: alice:eth0, within: 500ms\n  carrier up at alice:eth0 did not come true',
  );
  expect(lines.at(-1)).toContain('FAILED  carrier: alice:eth0');
  expect((await playText('  - fetch: http://10.0.0.2/none\n    on: alice\n')).problem).toContain(
    'expected status 200, got 404',
  );
  expect((await playText('  - exec: pong\n    on: alice\n')).problem).toContain('did you mean ping?');
});

const problemsIn = (text: string): string[] =>
  checkScenario(text, 'x.yaml').problems.map(
    ({ line, column, message, expected, hint }) => `${line}:${column}: ${message}; ${expected}; ${hint ?? ''}`,
  );

test.each([
  ['steps: [ { wait: 1s } ]', '1:1: the scenario names no lab; lab: NAME, or the path of a lab file; '],
  ['lab: x', '1:1: the scenario has no steps'],
  ['lab: x\nsteps:\n  - unplg: alice:eth0', '3:5: unknown step "unplg"'],
  ['lab: x\nsteps:\n  - exec: ping', '3:5: step exec has no on'],
  ['lab: x\nsteps:\n  - impair: a:eth0\n    los: 5%', '4:5: unknown key "los" in step impair'],
  ['lab: x\nsteps:\n  - impair: a:eth0\n    loss: 5', '4:11: impossible value "5" for loss of step impair'],
  ['lab: x\nsteps:\n  - frames: tcp.syn', '3:13: impossible value "tcp.syn" for frames'],
  ['lab: x\nseeds: 5\nsteps:\n  - heal', '2:1: unknown key "seeds" in the scenario'],
  [
    'lab: x\nsteps:\n  - wait: 5seconds',
    '3:11: impossible value "5seconds" for wait; a time such as 200us, 5ms or 1.5s, at most 3600s; did you mean "5s"?',
  ],
  ['lab: x\nsteps:\n  - impair: a:eth0\n    rate: 10', 'did you mean "10mbit"?'],
  ['lab: x\nsteps:\n  - impair: a:eth0\n    loss: gmodel 1% 20', 'did you mean "gemodel 1% 20%"?'],
  ['lab: x\nsteps:\n  - impair: a:eth0\n    corrupt: 1% tpc', 'did you mean "1% tcp"?'],
  ['lab: x\nsteps:\n  - impair: a:eth0\n    for: 2s', '3:13: step impair turns no knob'],
  [
    'lab: x\nsteps:\n  - impair: a:eth0\n    nth: 2\n    loss: 5%',
    '4:10: nth counts the frames of a match; match: FILTER',
  ],
  [
    'lab: x\nsteps:\n  - impair: a:eth0\n    match: tcp\n    rate: 1mbit',
    '5:11: rate cannot be had for single frames; with match: delay, loss',
  ],
  ['lab: x\nsteps:\n  - impair: a:eth0\n    match: tcp', '4:12: the match says which frames, not what happens to them'],
  [
    'lab: x\nsteps:\n  - impair: a:eth0\n    match: tcp.flags.syn=1\n    loss: 5%',
    'column 14: = is no operator; did you mean ==?',
  ],
  [
    'lab: x\nsteps:\n  - cut: a:eth0 -- b:eth0',
    '3:10: a cut has a direction; the port that sends; did you mean "a:eth0"?',
  ],
  ['lab: x\nsteps:\n  - flap: a:eth0\n    period: 5ms', '4:13: a flap is slower than this; from 20ms'],
  [
    'lab: x\nsteps:\n  - wave: a:eth0\n    knob: loss\n    shape: ramp\n    from: 0%\n    over: 1s',
    '3:11: a wave of shape ramp has no to',
  ],
  [
    'lab: x\nsteps:\n  - spawn: ping a\n    on: a\n    as: pinger\n  - finish: pnger',
    '6:13: no program was spawned as "pnger"; a step before it: spawn: …, on: …, as: pnger; did you mean "pinger"?',
  ],
  [
    'lab: x\nsteps:\n  - wave: a:eth0\n    knob: order\n    shape: ramp\n    from: 1\n    over: 1s',
    '4:11: unknown knob "order" of step wave',
  ],
  [
    'lab: x\nsteps:\n  - wave: a:eth0\n    knob: loss\n    shape: ramp\n    from: 1ms\n    over: 1s',
    '6:11: impossible value "1ms" for from of step wave; a percentage',
  ],
  [
    'lab: x\nsteps:\n  - wave: a:eth0\n    knob: loss\n    shape: square\n    from: 1%\n    to: 2%\n    over: 1s\n    period: 5ms',
    '9:13: a wave is not as fast as that; a period from 20ms',
  ],
  ['lab: x\nsteps:\n  - flap: a:eth0\n    duty: half', '4:11: impossible value "half" for duty of step flap'],
  [
    'lab: x\nsteps:\n  - frames: tcp',
    '3:13: frames are looked for, but no capture was started; a capture step before it',
  ],
  ['lab: x\nsteps:\n  - finish: p', '3:13: no program was spawned as "p"'],
])('a bad scenario is told with its place: %j', (text, says) => {
  expect(problemsIn(text).join('\n')).toContain(says);
});

test('a bad file is status 2, and so is virtual time for processes', async () => {
  const file = join(folder, 'bad.yaml');
  writeFileSync(file, 'lab: two-hosts\nsteps:\n  - wait: 5\n');
  expect(() => readScenario(file)).toThrow(/bad\.yaml:3:11: impossible value "5" for wait/);
  expect(() => readScenario(join(folder, 'none.yaml'))).toThrow('cannot read');
  for (const [text, says] of [
    ['lab: nowhere\nsteps:\n  - wait: 5s\n', '1:6: no lab "nowhere"; expected one of'],
    [
      'lab: two-hosts\nsteps:\n  - exec: true\n    on: alise\n',
      '4:9: no device of the lab is called "alise"; did you mean "alice"?',
    ],
    ['lab: two-hosts\nsteps:\n  - cut: alice:eth7\n', '3:10: no port of the lab is called "alice:eth7"; did you mean'],
    [
      'lab: two-hosts\nsteps:\n  - unplug: alice:eth0--sw:p2\n',
      '3:13: no wire of the lab is called "alice:eth0--sw:p2"',
    ],
    ['lab: two-hosts\nsteps:\n  - heal: yes\n', '3:11: no device of the lab is called "yes"'],
    ['lab: two-hosts\nsteps:\n  - partition: alice,carol -- bob\n', '3:16: no device of the lab is called "carol"'],
    ['lab: two-hosts\nsteps:\n  - capture: alice:eth0,sw:p9\n', '3:14: no port of the lab is called "sw:p9"'],
  ] as const) {
    writeFileSync(file, text);
    expect(() => readScenario(file)).toThrow(says);
    expect(() => readScenario(file)).toThrow(expect.objectContaining({ status: 2 }));
  }
  writeFileSync(file, 'lab: two-hosts\nsteps:\n  - wait: 5s\n');
  const processes = { engine: 'processes', clock: 'virtual' } as const;
  await expect(play(file, readScenario(file), processes, () => {})).rejects.toMatchObject({ status: 2 });
});
