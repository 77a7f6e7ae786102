/**
 * A lab packed in this process. `boot FILE`: says `ready` when every wire is lit. `ping HOSTS`: every host pings the next,
 * on a virtual clock; says what that took, in seconds and in MB.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lab } from '../../services/lab/index.ts';
import { pssMb } from './machine.ts';
import { scratch } from './undo.ts';

/** Hosts of one LAN: a broadcast reaches all of them, so what a LAN costs grows with its square, on any network. */
const LAN_HOSTS = 100;
const PINGS = 3;

const lanOf = (host: number): number => Math.floor(host / LAN_HOSTS);
const addressOf = (host: number): string => `10.0.${lanOf(host)}.${1 + (host % LAN_HOSTS)}`;

/** LANs of a hundred hosts round one router. */
function campus(hosts: number): string {
  const all = Array.from({ length: hosts }, (_, i) => i);
  const lans = Array.from({ length: lanOf(hosts - 1) + 1 }, (_, i) => i);
  const gateway = (lan: number): string => `10.0.${lan}.254`;
  const ports = lans.map((lan) => `eth${lan}: ${gateway(lan)}/24`).join(', ');
  return [
    'name: campus',
    'devices:',
    ...all.map((i) => `  h${i}: { kind: host, eth0: ${addressOf(i)}/24, gateway: ${gateway(lanOf(i))} }`),
    ...lans.map((lan) => `  sw${lan}: { kind: switch, ports: ${LAN_HOSTS + 1} }`),
    `  r: { kind: router, ${ports} }`,
    'wires:',
    ...all.map((i) => `  - sw${lanOf(i)}:p${1 + (i % LAN_HOSTS)} -- h${i}:eth0`),
    ...lans.map((lan) => `  - sw${lan}:p${LAN_HOSTS + 1} -- r:eth${lan}`),
    '',
  ].join('\n');
}

async function ping(hosts: number): Promise<void> {
  const folder = scratch();
  const path = join(folder.path, 'lab.yaml');
  writeFileSync(path, campus(hosts));
  const start = performance.now();
  const net = await lab(path, { engine: 'packed', clock: 'virtual' });
  const results = await Promise.all(
    net
      .devices()
      .filter((name) => name.startsWith('h'))
      .map((name, i) => net.host(name).exec('ping', '-c', String(PINGS), addressOf((i + 1) % hosts))),
  );
  const seconds = (performance.now() - start) / 1_000;
  const memory = pssMb(process.pid);
  await folder.remove();
  const lost = results.find(({ status, stdout }) => status !== 0 || !stdout.includes(`${PINGS} received`));
  if (lost !== undefined) throw new Error(`a ping was lost: ${lost.stdout}${lost.stderr}`);
  process.stdout.write(`done ${seconds} ${memory}\n`);
  await net.close();
}

const [what = '', argument = ''] = process.argv.slice(2);
if (what === 'ping') await ping(Number(argument));
else {
  await lab(argument, { engine: 'packed' });
  process.stdout.write('ready\n');
}
