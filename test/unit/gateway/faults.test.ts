/** Faults in force, over devices that only note what they are asked for. */
import { expect, test } from 'vitest';
import type { DeviceDoor } from '../../../services/gateway/device-link.ts';
import { Faults } from '../../../services/gateway/faults.ts';
import type { Schedule } from '../../../services/gateway/flap.ts';
import { Lab } from '../../../services/gateway/lab.ts';
import { EmuError } from '../../../shared/device/errors.ts';
import type { LifecycleVerb, ProcessState } from '../../../shared/device/ipc.ts';
import type { Impairment } from '../../../shared/lab/plan-types.ts';

interface Asked {
  readonly plugged: boolean;
  readonly cut: boolean;
  readonly impairment: Impairment;
}

const CLEAN: Asked = { plugged: true, cut: false, impairment: {} };

/** alice:eth0 -- bob:eth0. A device that is deaf takes what it is asked, and answers too late. */
function setup(schedule?: Schedule) {
  const ends = new Map<string, Asked>();
  const deaf = new Set<string>();
  /** Devices that answer when this does, and what all were asked for. */
  const slow = new Map<string, Promise<void>>();
  const posts: string[] = [];
  const asked: string[] = [];
  const door = (name: string): DeviceDoor => ({
    name,
    get: () => Promise.reject(new Error('not asked here')),
    post: async <T>(path: string, body?: object) => {
      posts.push(name);
      await slow.get(name);
      ends.set(`${name}:${path.split('/')[2]}`, body as Asked);
      if (deaf.has(name)) throw new EmuError('EMU_DEVICE_DOWN', `${name} is not up (no answer)`);
      return { carrier: true } as T;
    },
    socket: () => {
      throw new Error('not asked here');
    },
    close: () => {},
  });
  const wire = { a: { device: 'alice', port: 'eth0' }, b: { device: 'bob', port: 'eth0' }, forward: {}, backward: {} };
  const device = (name: string, index: number) => ({
    name,
    kind: 'host' as const,
    role: null,
    index,
    control: '',
    ports: ['eth0'],
  });
  const lab = new Lab(
    {
      lab: 'pair',
      seed: 7,
      devices: [device('alice', 0), device('bob', 1)],
      wires: [{ name: 'alice:eth0--bob:eth0', ...wire }],
    },
    [door('alice'), door('bob')],
  );
  const supervisor = {
    request: async (verb: LifecycleVerb, name: string) => void asked.push(`${verb} ${name}`),
  };
  const states = (state: ProcessState, ...names: string[]) =>
    lab.setStatuses(names.map((name) => ({ name, state, pid: 1, ended: '' })));
  return { faults: new Faults(lab, supervisor, schedule), ends, deaf, slow, posts, asked, states };
}

test('a fault that a device answers too late is refused, and undone once it answers', async () => {
  const { faults, ends, deaf, states } = setup();
  states('frozen', 'bob');
  deaf.add('bob');
  const loss = { fault: 'impair', target: 'bob:eth0', impairment: { loss: 0.05 } } as const;
  await expect(faults.add(loss)).rejects.toThrow('bob is frozen');
  expect(faults.list()).toEqual([]);
  ends.set('bob:eth0', { ...CLEAN, impairment: { loss: 0.05 } });
  deaf.clear();
  await faults.restore('bob');
  expect(ends.get('bob:eth0')).toEqual(CLEAN);
});

test('heal of everything leaves the lab as its file says, whoever had put it in trouble', async () => {
  const { faults, ends, asked, states } = setup();
  ends.set('alice:eth0', { ...CLEAN, plugged: false });
  ends.set('bob:eth0', { ...CLEAN, cut: true });
  states('frozen', 'bob');
  expect(await faults.heal()).toEqual(['bob, which was frozen']);
  expect(asked).toEqual(['thaw bob']);
  expect([...ends.values()]).toEqual([CLEAN, CLEAN]);
});

test('heal of one port leaves the faults of others alone', async () => {
  const { faults, ends } = setup();
  await faults.add({ fault: 'cut', target: 'alice:eth0' });
  await faults.add({ fault: 'impair', target: 'bob:eth0', impairment: { delay: 1_000 } });
  expect(await faults.heal('alice')).toEqual(['cut alice:eth0']);
  expect(ends.get('alice:eth0')).toEqual(CLEAN);
  expect(ends.get('bob:eth0')?.impairment).toEqual({ delay: 1_000 });
});

test.each([
  ['the kill first', ['kill', 'freeze'], ['start bob', 'freeze bob', 'thaw bob']],
  ['the freeze first', ['freeze', 'kill'], ['start bob']],
] as const)(
  'a device that stood still as it was killed is up again when both faults have ended: %s',
  async (_, order, verbs) => {
    const { faults, asked } = setup();
    const { fault: freeze } = await faults.add({ fault: 'freeze', target: 'bob' });
    const { fault: kill } = await faults.add({ fault: 'kill', target: 'bob' });
    for (const which of order) await faults.remove(which === 'kill' ? kill : freeze);
    expect(asked).toEqual(['freeze bob', 'kill bob', ...verbs]);
  },
);

test('faults are told in the words of a lab file, wires by their names', async () => {
  const { faults } = setup();
  await faults.add({ fault: 'impair', target: ' bob:eth0 -- alice:eth0 ', impairment: { rate: 10_000_000 } });
  await faults.add({ fault: 'flap', target: 'alice:eth0', period: 2_000_000, duty: 0.07 });
  faults.close();
  expect(faults.list().map(({ words }) => words)).toEqual([
    'impair alice:eth0--bob:eth0 rate 10mbit',
    'flap alice:eth0--bob:eth0 period 2s duty 7%',
  ]);
});

test('a wire that flaps while one end stands still does not keep others waiting for all the turns it would have made', async () => {
  const due: (() => void)[] = [];
  const { faults, ends, slow, posts } = setup((_delay, fire) => {
    due.push(fire);
    return () => {};
  });
  await faults.add({ fault: 'flap', target: 'alice:eth0', period: 40_000, duty: 0.5 });
  let answer = (): void => {};
  slow.set(
    'bob',
    new Promise((resolve) => {
      answer = resolve;
    }),
  );
  const before = posts.length;
  for (let n = 0; n < 1_000; n++) due.shift()?.();
  const loss = faults.add({ fault: 'impair', target: 'alice:eth0', impairment: { loss: 0.05 } });
  answer();
  await loss;
  expect(posts.length - before).toBeLessThan(10);
  expect(ends.get('alice:eth0')?.impairment).toEqual({ loss: 0.05 });
  // The last turn is the one that stands.
  expect([ends.get('alice:eth0')?.plugged, ends.get('bob:eth0')?.plugged]).toEqual([false, false]);
  faults.close();
});
