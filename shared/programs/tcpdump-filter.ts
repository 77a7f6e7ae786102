/**
 * Filter expressions of tcpdump (pcap-filter(7)): host, net, port, portrange, proto names, src and dst, and, or, not,
 * brackets, less, greater, broadcast, multicast. Left out: byte offsets (`tcp[13]`), vlan, gateway.
 */
import { isMulticastMac, MAC_BROADCAST, networkOf, parseIpv4, parseMac, readMac } from '../header/address.ts';
import { ARP } from '../header/arp.ts';
import { ETHERNET, ETHERTYPE } from '../header/ethernet.ts';
import { IPV4, IPV4_OFFSET_MASK, ipv4HeaderLength, PROTOCOL } from '../header/ipv4.ts';
import { Failure } from './failure.ts';
import { parsePrefix } from './ip-common.ts';
import { protocolNumber, type Services } from './names.ts';

/** bytes[0, size) is an Ethernet frame. */
export type FrameTest = (view: DataView, size: number) => boolean;

const syntaxError = () => new Failure(1, "tcpdump: can't parse filter expression: syntax error");

const typeOf = (view: DataView, size: number) => (size < ETHERNET.SIZE ? 0 : view.getUint16(ETHERNET.TYPE));
const isIp: FrameTest = (view, size) => size >= ETHERNET.SIZE + IPV4.SIZE && typeOf(view, size) === ETHERTYPE.IPV4;
const isArp: FrameTest = (view, size) => size >= ETHERNET.SIZE + ARP.SIZE && typeOf(view, size) === ETHERTYPE.ARP;
const hasProtocol =
  (protocol: number): FrameTest =>
  (view, size) =>
    isIp(view, size) && view.getUint8(ETHERNET.SIZE + IPV4.PROTOCOL) === protocol;

type Side = 'src' | 'dst' | 'either' | 'both';

/** Apply a test of one end to the ends that the qualifier names. */
function onSides(side: Side, source: boolean, target: boolean): boolean {
  if (side === 'src') return source;
  if (side === 'dst') return target;
  return side === 'both' ? source && target : source || target;
}

export function readFrameFilter(words: readonly string[], services: Services): FrameTest {
  const tokens = words
    .join(' ')
    .replace(/([()!]|&&|\|\|)/g, ' $1 ')
    .split(/\s+/)
    .filter((word) => word !== '');
  if (tokens.length === 0) return () => true;
  const test = new FrameFilter(tokens, services).whole();
  // Every test may read the link header; what is shorter matches nothing.
  return (view, size) => size >= ETHERNET.SIZE && test(view, size);
}

class FrameFilter {
  private readonly tokens: string[];
  private readonly services: Services;
  /** `port 80 or 443` repeats what stood before. */
  private last: { proto: FrameTest; side: Side; kind: string } | undefined = undefined;

  constructor(tokens: string[], services: Services) {
    this.tokens = tokens;
    this.services = services;
  }

  whole(): FrameTest {
    const test = this.either();
    if (this.tokens.length > 0) throw syntaxError();
    return test;
  }

  /** and and or bind alike, from the left (pcap-filter(7)). */
  private either(): FrameTest {
    let test = this.single();
    for (;;) {
      if (this.take('and', '&&')) {
        const [a, b] = [test, this.single()];
        test = (view, size) => a(view, size) && b(view, size);
      } else if (this.take('or', '||')) {
        const [a, b] = [test, this.single()];
        test = (view, size) => a(view, size) || b(view, size);
      } else return test;
    }
  }

  private single(): FrameTest {
    if (this.take('not', '!')) {
      const test = this.single();
      return (view, size) => !test(view, size);
    }
    if (this.take('(')) {
      const test = this.either();
      if (!this.take(')')) throw syntaxError();
      return test;
    }
    return this.primitive();
  }

  private primitive(): FrameTest {
    let proto: FrameTest | undefined;
    const first = this.tokens[0];
    if (first === undefined) throw syntaxError();
    if (this.take('ether')) return this.ether();
    if (this.take('less', 'greater')) return this.length(first);
    if (this.take('broadcast')) return (view) => readMac(view, 0) === MAC_BROADCAST;
    if (this.take('multicast')) return (view) => isMulticastMac(readMac(view, 0));
    if (this.take('ip')) proto = isIp;
    else if (this.take('arp', 'rarp')) proto = isArp;
    else if (this.take('ip6')) return (view, size) => typeOf(view, size) === ETHERTYPE.IPV6;
    else if (['tcp', 'udp', 'icmp', 'igmp'].includes(first)) {
      this.tokens.shift();
      proto = hasProtocol(protocolNumber(first) ?? 0);
    }
    const side = this.side();
    const kind = ['host', 'net', 'port', 'portrange', 'proto'].find((word) => this.take(word));
    if (kind === undefined && side === undefined) {
      if (proto !== undefined) return proto;
      if (this.last === undefined || !/^[0-9a-z]/i.test(first)) throw syntaxError();
      return this.value(this.last.proto, this.last.side, this.last.kind);
    }
    return this.value(proto ?? (() => true), side ?? 'either', kind ?? 'host');
  }

  private side(): Side | undefined {
    if (!this.take('src')) return this.take('dst') ? 'dst' : undefined;
    if (this.take('or')) return this.take('dst') ? 'either' : 'src';
    if (this.tokens[0] === 'and' && this.tokens[1] === 'dst') {
      this.tokens.splice(0, 2);
      return 'both';
    }
    return 'src';
  }

  private value(proto: FrameTest, side: Side, kind: string): FrameTest {
    const text = this.tokens.shift();
    if (text === undefined || /^(and|or|not|[()!]|&&|\|\|)$/.test(text)) throw syntaxError();
    this.last = { proto, side, kind };
    const test = this.testOf(text, side, kind);
    return (view, size) => proto(view, size) && test(view, size);
  }

  private testOf(text: string, side: Side, kind: string): FrameTest {
    switch (kind) {
      case 'port':
        return portTest(side, this.port(text), this.port(text));
      case 'portrange': {
        const [low = '', high = ''] = text.split('-');
        return portTest(side, this.port(low), this.port(high));
      }
      case 'proto': {
        const number = /^[0-9]+$/.test(text) ? Number(text) : protocolNumber(text.replace(/^\\/, ''));
        if (number === undefined) throw new Failure(1, `tcpdump: unknown ip proto '${text}'`);
        return hasProtocol(number);
      }
      case 'net': {
        const length = /\/([0-9]+)$/.exec(text)?.[1];
        if (length !== undefined && Number(length) > 32) throw new Failure(1, 'tcpdump: mask length must be <= 32');
        // Without a mask as many octets count as were given: `net 10.1`.
        const parts = text.split('.').length;
        const { address, prefix } = parsePrefix(text);
        return addressTest(side, address, length === undefined ? parts * 8 : prefix);
      }
      default: {
        const address = parseIpv4(text);
        if (address === undefined) throw new Failure(1, `tcpdump: unknown host '${text}'`);
        return addressTest(side, address, 32);
      }
    }
  }

  private port(text: string): number {
    const port = this.services.anyPort(text);
    if (port === undefined) throw new Failure(1, `tcpdump: unknown port '${text}'`);
    return port;
  }

  private ether(): FrameTest {
    if (this.take('broadcast')) return (view) => readMac(view, 0) === MAC_BROADCAST;
    if (this.take('multicast')) return (view) => isMulticastMac(readMac(view, 0));
    if (this.take('proto')) {
      const text = (this.tokens.shift() ?? '').replace(/^\\/, '');
      const known: Readonly<Record<string, number>> = { ip: ETHERTYPE.IPV4, arp: ETHERTYPE.ARP, ip6: ETHERTYPE.IPV6 };
      const type = known[text] ?? Number(text);
      return (view, size) => typeOf(view, size) === type;
    }
    const side = this.side() ?? 'either';
    this.take('host');
    const mac = parseMac(this.tokens.shift() ?? '');
    if (mac === undefined) throw syntaxError();
    return (view) => onSides(side, readMac(view, ETHERNET.SOURCE) === mac, readMac(view, ETHERNET.TARGET) === mac);
  }

  private length(word: string): FrameTest {
    const limit = Number(this.tokens.shift());
    if (Number.isNaN(limit)) throw syntaxError();
    return word === 'less' ? (_view, size) => size <= limit : (_view, size) => size >= limit;
  }

  private take(...choices: readonly string[]): boolean {
    if (!choices.includes(this.tokens[0] ?? '')) return false;
    this.tokens.shift();
    return true;
  }
}

function addressTest(side: Side, address: ReturnType<typeof networkOf>, prefix: number): FrameTest {
  const wanted = networkOf(address, prefix);
  const hit = (view: DataView, at: number) => networkOf(view.getUint32(at) as typeof address, prefix) === wanted;
  return (view, size) => {
    const at = ETHERNET.SIZE;
    if (isIp(view, size)) return onSides(side, hit(view, at + IPV4.SOURCE), hit(view, at + IPV4.TARGET));
    if (isArp(view, size)) return onSides(side, hit(view, at + ARP.SENDER_IP), hit(view, at + ARP.TARGET_IP));
    return false;
  };
}

function portTest(side: Side, low: number, high: number): FrameTest {
  return (view, size) => {
    if (!isIp(view, size)) return false;
    const ip = ETHERNET.SIZE;
    const protocol = view.getUint8(ip + IPV4.PROTOCOL);
    if (protocol !== PROTOCOL.TCP && protocol !== PROTOCOL.UDP) return false;
    if ((view.getUint16(ip + IPV4.FRAGMENT) & IPV4_OFFSET_MASK) !== 0) return false;
    const at = ip + ipv4HeaderLength(view, ip);
    if (size < at + 4) return false;
    const inRange = (port: number) => port >= low && port <= high;
    return onSides(side, inRange(view.getUint16(at)), inRange(view.getUint16(at + 2)));
  };
}
