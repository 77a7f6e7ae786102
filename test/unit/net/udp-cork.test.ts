import { expect, test } from 'vitest';
import { PROTOCOL } from '../../../shared/header/ipv4.ts';
import { UDP } from '../../../shared/header/udp.ts';
import { isErrno } from '../../../shared/net/errno.ts';
import { MSG, type Sock } from '../../../shared/net/sock.ts';
import { setSocketOption } from '../../../shared/net/socket.ts';
import { assert } from '../../../shared/platform.ts';
import { attach, Cable, ip, makeHost, newClock } from '../../kit/cable.ts';
import { listen } from '../../kit/datagram.ts';

function socket() {
  const clock = newClock();
  const cable = new Cable(clock);
  const [alice, bob] = [makeHost('alice', clock), makeHost('bob', clock)];
  attach(alice, 'eth0', cable, { addresses: ['10.0.0.1/24'] });
  attach(bob, 'eth0', cable, { addresses: ['10.0.0.2/24'] });
  const seen = listen(bob, PROTOCOL.UDP);
  const made = alice.sockets.create(alice, 'inet', 'dgram', 0);
  assert(!isErrno(made), 'a UDP socket');
  const sk: Sock = made;
  const send = (text: string, port = 53, flags = 0) =>
    sk.proto.sendmsg(sk, new TextEncoder().encode(text), { to: { address: ip('10.0.0.2'), port }, flags });
  const cork = (value: number) => setSocketOption(sk, 'IPPROTO_UDP', 'UDP_CORK', value);
  const arrived = () => {
    clock.advance(1_000);
    return seen.arrivals.map(({ targetPort, length, checksumOk }) => [targetPort, length - UDP.SIZE, checksumOk]);
  };
  return { sk, send, cork, arrived };
}

test('UDP_CORK: parts wait, and go as one datagram when it is taken out, to where the first was to go', () => {
  const { sk, send, cork, arrived } = socket();
  expect(cork(1)).toBeUndefined();
  expect(sk.proto.getsockopt(sk, 'SOL_UDP', 'UDP_CORK')).toBe(1);
  expect(send('abc', 53)).toBe(3);
  expect(send('defg', 99)).toBe(4);
  expect(arrived()).toEqual([]);
  expect(cork(0)).toBeUndefined();
  expect(arrived()).toEqual([[53, 7, true]]);
  send('next', 99);
  expect(arrived()[1]).toEqual([99, 4, true]);
});

test('taken out with nothing waiting, nothing is sent; MSG_MORE ends with the first part without it', () => {
  const { send, cork, arrived } = socket();
  cork(1);
  cork(0);
  send('ab', 53, MSG.MORE);
  send('c', 77);
  expect(arrived()).toEqual([[53, 3, true]]);
  expect(cork(1)).toBeUndefined();
});
