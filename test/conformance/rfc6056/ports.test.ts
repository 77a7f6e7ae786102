/** RFC 6056 and Linux's rules: which local ports are found for bind(0) and connect(), and who may share one. */
import { expect, test } from 'vitest';
import { setSocketOption } from '../../../shared/net/socket.ts';
import { tcpProto } from '../../../shared/net/tcp.ts';
import { tcpOf } from '../../../shared/net/tcp-host.ts';
import type { TcpSock } from '../../../shared/net/tcp-sock.ts';
import { ip } from '../../kit/cable.ts';
import { tcpScript } from '../../kit/tcp.ts';

const ANY = ip('0.0.0.0');
const HERE = ip('192.168.0.1');

interface Wanted {
  readonly port?: number;
  readonly address?: typeof ANY;
  readonly reuse?: 'address' | 'port';
}

function bound(t: ReturnType<typeof tcpScript>, { port = 0, address = ANY, reuse }: Wanted = {}): TcpSock | string {
  const sk = t.socket();
  if (reuse !== undefined) setSocketOption(sk, 'SOL_SOCKET', reuse === 'port' ? 'SO_REUSEPORT' : 'SO_REUSEADDR', 1);
  return tcpProto.bind(sk, { address, port }) ?? sk;
}

const range = (text: string) => ({ sysctls: { 'net.ipv4.ip_local_port_range': text } });

test('bind(0) takes odd offsets of the range first, connect() even ones', () => {
  const t = tcpScript(range('40000 40007'));
  const ports = Array.from({ length: 4 }, () => (bound(t) as TcpSock).localPort);
  expect(ports.sort()).toEqual([40_001, 40_003, 40_005, 40_007]);
  for (let i = 0; i < 4; i++) expect(t.connect(t.socket()).localPort % 2).toBe(0);
  t.drain();
});

test('with the range used up bind(0) says EADDRINUSE and connect() EADDRNOTAVAIL', () => {
  const t = tcpScript(range('40000 40001'));
  bound(t);
  bound(t);
  expect(bound(t)).toBe('EADDRINUSE');
  expect(tcpProto.connect(t.socket(), { address: ip('192.0.2.1'), port: 80 })).toBe('EADDRNOTAVAIL');
});

test('reserved ports are for those who name them', () => {
  const t = tcpScript(range('40000 40003'));
  expect(t.host.sysctl.set('net.ipv4.ip_local_reserved_ports', '40003,40000-40001')).toBeUndefined();
  expect(t.host.sysctl.getText('net.ipv4.ip_local_reserved_ports')).toBe('40000-40001,40003');
  expect((bound(t) as TcpSock).localPort).toBe(40_002);
  expect(bound(t)).toBe('EADDRINUSE');
  expect((bound(t, { port: 40_003 }) as TcpSock).localPort).toBe(40_003);
  for (const bad of ['x', '5-4', '70000', '1-']) {
    expect(t.host.sysctl.set('net.ipv4.ip_local_reserved_ports', bad)).toBe('EINVAL');
  }
});

test('IP_LOCAL_PORT_RANGE narrows the range of one socket, inside that of the host', () => {
  const t = tcpScript(range('40000 50000'));
  const found = (low: number, high: number): number | string => {
    const sk = t.socket();
    expect(setSocketOption(sk, 'SOL_IP', 'IP_LOCAL_PORT_RANGE', (high << 16) | low)).toBeUndefined();
    const error = tcpProto.bind(sk, { address: ANY, port: 0 });
    return error ?? sk.localPort;
  };
  expect(found(45_000, 45_000)).toBe(45_000);
  expect(found(45_000, 45_000)).toBe('EADDRINUSE');
  const wide = found(30_000, 60_000) as number;
  expect(wide >= 40_000 && wide <= 50_000).toBe(true);
  expect(setSocketOption(t.socket(), 'SOL_IP', 'IP_LOCAL_PORT_RANGE', (1 << 16) | 2)).toBe('EINVAL');
});

test('IP_BIND_ADDRESS_NO_PORT leaves the port to connect(), which may share it', () => {
  const t = tcpScript(range('40000 40001'));
  const connected = (target: string): string | undefined => {
    const sk = t.socket();
    setSocketOption(sk, 'SOL_IP', 'IP_BIND_ADDRESS_NO_PORT', 1);
    expect(tcpProto.bind(sk, { address: HERE, port: 0 })).toBeUndefined();
    expect(sk.localPort).toBe(0);
    return tcpProto.connect(sk, { address: ip(target), port: 80 });
  };
  for (const target of ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4']) {
    expect(connected(target)).toBe('EINPROGRESS');
  }
  t.drain();
});

test('SO_REUSEADDR shares a port that nobody listens on; SO_REUSEPORT also with listeners; other addresses always', () => {
  const t = tcpScript();
  const first = bound(t, { port: 80, reuse: 'address' }) as TcpSock;
  const second = bound(t, { port: 80, reuse: 'address' }) as TcpSock;
  expect(bound(t, { port: 80 })).toBe('EADDRINUSE');
  expect(tcpProto.listen!(first, 1)).toBeUndefined();
  // Both bound it; only one may listen.
  expect(tcpProto.listen!(second, 1)).toBe('EADDRINUSE');
  expect(bound(t, { port: 80, reuse: 'address' })).toBe('EADDRINUSE');

  const group = [1, 2].map(() => bound(t, { port: 81, reuse: 'port' }) as TcpSock);
  for (const sk of group) expect(tcpProto.listen!(sk, 1)).toBeUndefined();
  expect(bound(t, { port: 81, reuse: 'address' })).toBe('EADDRINUSE');

  const here = bound(t, { port: 82, address: HERE }) as TcpSock;
  expect(tcpProto.listen!(here, 1)).toBeUndefined();
  expect(typeof bound(t, { port: 82, address: ip('127.0.0.1') })).toBe('object');
  expect(bound(t, { port: 82 })).toBe('EADDRINUSE');
});

test('a port that was found is shared by neither option, unless ip_autobind_reuse', () => {
  const t = tcpScript(range('40000 40001'));
  for (let i = 0; i < 2; i++) expect(typeof bound(t, { reuse: 'address' })).toBe('object');
  expect(bound(t, { reuse: 'address' })).toBe('EADDRINUSE');
  t.host.sysctl.set('net.ipv4.ip_autobind_reuse', '1');
  expect(typeof bound(t, { reuse: 'address' })).toBe('object');
});

test('listeners that share a port by SO_REUSEPORT are met by a hash of the flow: always the same one, all of them in use', () => {
  const t = tcpScript();
  const group = [1, 2, 3].map(() => bound(t, { port: 80, reuse: 'port' }) as TcpSock);
  for (const sk of group) tcpProto.listen!(sk, 64);
  const tcp = tcpOf(t.host);
  const met = group.map(() => 0);
  for (let port = 1_024; port < 1_324; port++) {
    const from = { address: ip('192.0.2.1'), port };
    const sk = tcp.listener(HERE, 80, 0, from)!;
    expect(tcp.listener(HERE, 80, 0, from)).toBe(sk);
    met[group.indexOf(sk)]!++;
  }
  for (const count of met) expect(count).toBeGreaterThan(60);
});
