/** What a campaign does to devices while frames come: each of it works at a console, and is undone. */
import { expect, test } from 'vitest';
import type { DevicePlan } from '../../../shared/lab/plan-types.ts';
import { SECOND } from '../../../shared/platform.ts';
import { CAMPAIGN_KINDS, SCENES } from '../../kit/campaign-scenes.ts';
import { type TestLab, testLab } from '../../kit/lab.ts';
import { settingsFor, upheavalsFor } from '../../kit/turmoil-list.ts';

const DEVICES = [...new Set(CAMPAIGN_KINDS.map((kind) => SCENES[kind].device))];

/** What is configured, without what comes and goes by itself. */
async function configured({ run }: TestLab, { name, kind }: DevicePlan): Promise<string> {
  const lines = kind === 'switch' ? ['ip link'] : ['ip link', 'ip addr', 'ip route', 'tc qdisc', 'iptables -S'];
  const texts: string[] = [];
  for (const line of lines) texts.push((await run(name, line)).out);
  const text = texts.join('').replaceAll(/(state|qdisc) \S+( \S+:)?/g, '');
  return text.split('\n').sort().join('\n');
}

test.each(DEVICES)('%s takes every upheaval, one after the other, and is afterwards as before', async (name) => {
  const made = testLab('url-to-page');
  const { lab, run, advance } = made;
  const { plan, host } = lab.device(name);
  const port = plan.ports[0]!.name;
  await advance(SECOND);
  const before = await configured(made, plan);
  for (const { lines, undo } of upheavalsFor(plan)) {
    for (const line of [...lines, ...undo].map((words) => words.replaceAll('PORT', port))) {
      const { status, err } = await run(name, line);
      expect([line, status, err]).toEqual([line, 0, '']);
    }
    expect(await configured(made, plan), lines.join('; ')).toBe(before);
  }
  for (const [key, value] of settingsFor(plan)) {
    const setting = key.replace('PORT', port);
    const was = host.sysctl.getText(setting);
    expect([setting, was !== undefined, host.sysctl.set(setting, value)]).toEqual([setting, true, undefined]);
    expect([setting, host.sysctl.set(setting, was ?? '')]).toEqual([setting, undefined]);
  }
  lab.stop();
});
