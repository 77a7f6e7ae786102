import { expect, test } from 'vitest';
import { tcpProto } from '../../../shared/net/tcp.ts';
import { tcpOf } from '../../../shared/net/tcp-host.ts';
import type { TcpSock } from '../../../shared/net/tcp-sock.ts';
import { ip, makeHost, newClock } from '../../kit/cable.ts';
import { stopsMidFlight } from '../../kit/mid-flight.ts';
import { listenOn, newSock } from '../../kit/tcp-pair.ts';

const ANY = { address: ip('0.0.0.0'), port: 0 };

test('a port that bind() chose stays with the socket when it disconnects, and is given back when it closes', () => {
  const host = makeHost('host', newClock());
  const sk = newSock(host);
  expect(tcpProto.bind(sk, ANY)).toBeUndefined();
  const port = sk.localPort;
  expect(tcpProto.disconnect(sk)).toBeUndefined();
  expect(tcpProto.listen?.(sk, 1)).toBeUndefined();
  expect([sk.state, sk.localPort]).toEqual(['LISTEN', port]);
  tcpProto.close(sk);
  expect(tcpOf(host).binds.size).toBe(0);
});

/** Connect over loopback, and let the far end close first or ours; ours stays open as a descriptor. */
function finished(port: number) {
  const clock = newClock();
  const host = makeHost('host', clock);
  stopsMidFlight(host, clock);
  let child: TcpSock | undefined;
  listenOn(host, 80, (one) => {
    child = one;
  });
  const sk = newSock(host);
  if (port !== 0) expect(tcpProto.bind(sk, { ...ANY, port })).toBeUndefined();
  expect(tcpProto.connect(sk, { address: ip('127.0.0.1'), port: 80 })).toBe('EINPROGRESS');
  clock.advance(1_000);
  expect(tcpProto.connect(sk, { address: ip('127.0.0.1'), port: 80 })).toBeUndefined();
  tcpProto.shutdown(sk, 'both');
  clock.advance(1_000);
  if (child !== undefined) tcpProto.close(child);
  clock.advance(1_000);
  expect([sk.state, tcpOf(host).timeWaits.size]).toEqual(['CLOSE', 1]);
  return { clock, host, sk };
}

test('a socket whose connection has ended connects again once it was disconnected, from a port that it owns', () => {
  const { clock, host, sk } = finished(0);
  expect(tcpProto.connect(sk, { address: ip('127.0.0.1'), port: 80 })).toBe('EISCONN');
  expect(tcpProto.disconnect(sk)).toBeUndefined();
  expect(tcpProto.connect(sk, { address: ip('127.0.0.1'), port: 80 })).toBe('EINPROGRESS');
  expect(tcpOf(host).binds.get(sk.localPort)?.owners.has(sk)).toBe(true);
  clock.advance(1_000);
  expect(sk.state).toBe('ESTABLISHED');
});

test('a port that a program bound is still its own while an earlier connection of the socket is in TIME-WAIT', () => {
  const { clock, host, sk } = finished(5_000);
  expect(tcpOf(host).binds.get(5_000)?.owners.has(sk)).toBe(true);
  expect(tcpProto.bind(sk, { ...ANY, port: 5_001 })).toBe('EINVAL');
  clock.advance(61_000_000);
  expect(tcpOf(host).binds.get(5_000)?.owners.size).toBe(1);
  tcpProto.close(sk);
  expect(tcpOf(host).binds.has(5_000)).toBe(false);
});
