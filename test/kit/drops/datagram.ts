/** Drops of ICMP and UDP. */
import { PROTOCOL } from '../../../shared/header/ipv4.ts';
import type { Program } from '../../../shared/net/syscalls.ts';
import { ip } from '../cable.ts';
import { icmpMessage } from '../frames.ts';
import { DropBench, type DropRecipes, MAC_EVERYBODY, NO_COUNTER, nstat, type PEER, udp, type Watch } from './bench.ts';

const icmp = (watch: Watch, message: Uint8Array, fields = {}, mac?: typeof PEER): void =>
  new DropBench(watch).ip(message, { protocol: PROTOCOL.ICMP, ...fields }, mac);

export const ICMP_DROPS: DropRecipes = {
  icmp_too_short: [
    {
      when: 'it has five octets',
      counter: nstat('IcmpInErrors'),
      make: (watch) => icmp(watch, Uint8Array.of(8, 0, 0xf7, 0xff, 0)),
    },
  ],
  icmp_bad_checksum: [
    {
      when: 'its sum is wrong',
      counter: nstat('IcmpInCsumErrors'),
      make: (watch) => icmp(watch, Uint8Array.of(8, 0, 1, 1, 0, 0, 0, 0)),
    },
  ],
  icmp_unknown_type: [
    {
      when: 'its type is none that we know',
      counter: nstat('IcmpInErrors'),
      make: (watch) => icmp(watch, icmpMessage(40, 0, 0, new Uint8Array(4))),
    },
  ],
  icmp_ignored: [
    {
      when: 'icmp_echo_ignore_all is set',
      counter: nstat('IcmpInEchos'),
      make: (watch) => {
        const bench = new DropBench(watch, { sysctls: { 'net.ipv4.icmp_echo_ignore_all': '1' } });
        bench.ip(icmpMessage(8, 0, 1, new Uint8Array(8)), { protocol: PROTOCOL.ICMP });
      },
    },
  ],
  icmp_broadcast: [
    {
      when: 'everybody on the link is pinged at once',
      counter: nstat('IcmpInErrors'),
      make: (watch) =>
        icmp(watch, icmpMessage(8, 0, 1, new Uint8Array(8)), { target: ip('10.0.0.255') }, MAC_EVERYBODY),
    },
  ],
};

/** Waits on port 7 and never reads. */
const listener: Program = ({ sys }) => {
  sys.bind(sys.socket('inet', 'dgram'), { address: ip('0.0.0.0'), port: 7 });
  return new Promise(() => {});
};

function listening(watch: Watch): DropBench {
  const bench = new DropBench(watch);
  bench.host.processes.spawn(listener, ['listener']);
  return bench;
}

function damagedUdp(watch: Watch, change: (view: DataView) => void): void {
  const bytes = udp({ target: 7 });
  change(new DataView(bytes.buffer));
  listening(watch).ip(bytes);
}

export const UDP_DROPS: DropRecipes = {
  udp_too_short: [
    {
      when: 'it has five octets',
      counter: nstat('UdpInErrors'),
      make: (watch) => listening(watch).ip(new Uint8Array(5)),
    },
  ],
  udp_bad_length: [
    {
      when: 'it claims to be longer than its packet',
      counter: nstat('UdpInErrors'),
      make: (watch) => damagedUdp(watch, (view) => view.setUint16(4, 500)),
    },
  ],
  udp_bad_checksum: [
    {
      when: 'its sum is wrong',
      counter: nstat('UdpInCsumErrors'),
      make: (watch) => damagedUdp(watch, (view) => view.setUint16(6, view.getUint16(6) ^ 1)),
    },
  ],
  no_socket: [
    {
      when: 'nobody waits on its port',
      counter: nstat('UdpNoPorts'),
      make: (watch) => new DropBench(watch).udp(9),
    },
  ],
  socket_rcvbuf: [
    {
      when: 'nobody reads what waits',
      counter: nstat('UdpRcvbufErrors'),
      make: (watch) => {
        const bench = listening(watch);
        for (let i = 0; i < 120; i++) bench.udp(7);
      },
    },
  ],
  socket_closed: [
    {
      when: 'its socket is closed before it was read',
      counter: NO_COUNTER,
      make: (watch) => {
        const bench = listening(watch);
        bench.udp(7);
        bench.host.processes.killAll('SIGTERM');
        bench.clock.advance(1);
      },
    },
  ],
};
