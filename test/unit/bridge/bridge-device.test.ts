import { expect, test } from 'vitest';
import { bridgeDevice } from '../../../shared/bridge/bridge-device.ts';
import { parseCidr } from '../../../shared/header/address.ts';
import type { NetDevice } from '../../../shared/net/netdev.ts';
import { memoryWire } from '../../../shared/wire/memory-wire.ts';
import { ip } from '../../kit/cable.ts';
import { addCard, cardHost } from '../../kit/cards.ts';
import { ManualClock } from '../../kit/clock.ts';
import { listenEcho, sendEcho } from '../../kit/echo.ts';

function homeRouter() {
  const clock = new ManualClock();
  const router = cardHost('home', clock);
  const ports: NetDevice[] = [];
  const hosts = [2, 3, 4].map((n) => {
    const [hostWire, portWire] = memoryWire(clock, `h${n}:eth0`, `home:eth${n}`);
    ports.push(addCard(router, `eth${n}`, portWire).dev);
    const host = cardHost(`h${n}`, clock);
    const { nic } = addCard(host, 'eth0', hostWire, { addresses: [`192.168.1.${n}/24`] });
    let frames = 0;
    nic.phy.tap = (direction) => {
      if (direction === 'in') frames++;
    };
    return { host, wire: hostWire, frames: () => frames };
  });
  const br0 = bridgeDevice(router, { name: 'br0', ports });
  const cidr = parseCidr('192.168.1.1/24')!;
  router.inet.addAddress(br0, cidr.address, { prefix: cidr.prefix });
  return { clock, router, hosts, br0 };
}

test('hosts on a home router’s LAN ports reach each other and the router over br0', () => {
  const { clock, router, hosts } = homeRouter();
  const [h2, h3, h4] = hosts as [(typeof hosts)[0], (typeof hosts)[0], (typeof hosts)[0]];
  const echoes = listenEcho(h2.host);
  sendEcho(h2.host, ip('192.168.1.3'), { sequence: 1, size: 3_000 });
  sendEcho(h2.host, ip('192.168.1.1'), { sequence: 2, size: 3_000 });
  clock.advance(100_000);
  expect(echoes.replies.map((reply) => reply.sequence).sort()).toEqual([1, 2]);
  // The third host saw the two questions and nothing else.
  expect(h4.frames()).toBe(2);
  const back = listenEcho(router);
  sendEcho(router, ip('192.168.1.3'), { sequence: 3 });
  clock.advance(100_000);
  expect(back.replies).toHaveLength(1);
  for (const host of [router, h2.host, h3.host, h4.host]) expect(host.skbs.counters.live).toBe(0);
});

test('br0 has carrier while one of its ports has', () => {
  const { hosts, br0 } = homeRouter();
  expect(br0.carrier).toBe(true);
  for (const { wire } of hosts) wire.unplug();
  expect(br0.carrier).toBe(false);
  hosts[0]?.wire.plug();
  expect(br0.carrier).toBe(true);
});
