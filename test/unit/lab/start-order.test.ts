import { expect, test } from 'vitest';
import { startOrder } from '../../../services/lab/start-order.ts';
import { planFrom } from '../../kit/lab.ts';

test('the switch that all dial is started first, the hosts in the order of the lab file', () => {
  const plan = planFrom(`name: star
devices:
  h1: { kind: host, eth0: 10.0.0.1/24 }
  h2: { kind: host, eth0: 10.0.0.2/24 }
  sw: { kind: switch }
  h3: { kind: host, eth0: 10.0.0.3/24 }
wires:
  - sw:p1 -- h1:eth0
  - sw:p2 -- h2:eth0
  - sw:p3 -- h3:eth0
`);
  expect(startOrder(plan)).toEqual(['sw', 'h1', 'h2', 'h3']);
});

test('every device is started, once, also one without a wire', () => {
  const plan = planFrom('url-to-page');
  expect(startOrder(plan).sort()).toEqual(plan.devices.map(({ name }) => name).sort());
  const alone = planFrom('name: alone\ndevices:\n  one: { kind: host, eth0: 10.0.0.1/24 }\n  two: { kind: switch }\n');
  expect(startOrder(alone)).toEqual(['one', 'two']);
});

test('of a chain the end that listens comes first, the end that only dials last', () => {
  const plan = planFrom(`name: chain
devices:
  last: { kind: host, eth0: 10.0.1.2/24 }
  middle: { kind: router, eth0: 10.0.0.2/24, eth1: 10.0.1.1/24 }
  first: { kind: host, eth0: 10.0.0.1/24 }
wires:
  - first:eth0 -- middle:eth0
  - middle:eth1 -- last:eth0
`);
  expect(startOrder(plan)).toEqual(['first', 'middle', 'last']);
});
