/**
 * The filter language of ss: `state established`, `sport = :80`, `dst 10.0.0.0/8 and not dport :22`, with brackets
 * (iproute2 misc/ssfilter.y). Left out: dev, fwmark, cgroup, autobound.
 */
import { networkOf, parseIpv4 } from '../header/address.ts';
import type { SocketRecord } from '../net/netlink.ts';
import { Failure } from './failure.ts';
import { type Prefix, parsePrefix } from './ip-common.ts';
import type { Services } from './names.ts';
import { ALL_STATES, statesNamed } from './ss-state.ts';

export type SocketTest = (record: SocketRecord) => boolean;

export interface SocketFilter {
  /** undefined: the options decide. */
  readonly states: ReadonlySet<string> | undefined;
  readonly test: SocketTest;
}

const COMPARISONS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '=': (a, b) => a === b,
  '==': (a, b) => a === b,
  eq: (a, b) => a === b,
  '!=': (a, b) => a !== b,
  ne: (a, b) => a !== b,
  neq: (a, b) => a !== b,
  '>': (a, b) => a > b,
  gt: (a, b) => a > b,
  '<': (a, b) => a < b,
  lt: (a, b) => a < b,
  '>=': (a, b) => a >= b,
  ge: (a, b) => a >= b,
  geq: (a, b) => a >= b,
  '<=': (a, b) => a <= b,
  le: (a, b) => a <= b,
  leq: (a, b) => a <= b,
};

export function readSocketFilter(words: readonly string[], services: Services): SocketFilter {
  const rest = words.flatMap((word) => word.split(/\s+|(?=[()])|(?<=[()])/)).filter((word) => word !== '');
  let states: Set<string> | undefined;
  while (rest[0] === 'state' || rest[0] === 'exclude') {
    const keyword = rest.shift();
    const word = rest.shift() ?? '';
    const named = statesNamed(word);
    if (named === undefined) throw new Failure(255, `ss: wrong state name: ${word}`);
    if (keyword === 'state') states = new Set([...(states ?? []), ...named]);
    else states = new Set([...(states ?? ALL_STATES)].filter((state) => !named.has(state)));
  }
  const parser = new FilterParser(rest, services);
  return { states, test: rest.length === 0 ? () => true : parser.whole() };
}

class FilterParser {
  private readonly words: string[];
  private readonly services: Services;

  constructor(words: readonly string[], services: Services) {
    this.words = [...words];
    this.services = services;
  }

  whole(): SocketTest {
    const test = this.either();
    if (this.words.length > 0) throw this.bad();
    return test;
  }

  private either(): SocketTest {
    let test = this.both();
    while (this.take('or', '|', '||')) {
      const a = test;
      const b = this.both();
      test = (record) => a(record) || b(record);
    }
    return test;
  }

  private both(): SocketTest {
    let test = this.single();
    for (;;) {
      const joined = this.take('and', '&', '&&');
      if (!joined && (this.words.length === 0 || ['or', '|', '||', ')'].includes(this.words[0] ?? ''))) return test;
      const a = test;
      const b = this.single();
      test = (record) => a(record) && b(record);
    }
  }

  private single(): SocketTest {
    if (this.take('not', '!')) {
      const test = this.single();
      return (record) => !test(record);
    }
    if (this.take('(')) {
      const test = this.either();
      if (!this.take(')')) throw this.bad();
      return test;
    }
    const word = this.words.shift();
    if (word === 'sport' || word === 'dport') return this.port(word);
    if (word === 'src' || word === 'dst') {
      this.take('=', '==', 'eq');
      return this.host(word, this.words.shift() ?? '');
    }
    // A bare address is a destination.
    return this.host('dst', word ?? '');
  }

  private port(side: 'sport' | 'dport'): SocketTest {
    const compare = COMPARISONS[this.words[0] ?? ''];
    if (compare !== undefined) this.words.shift();
    const text = this.words.shift() ?? '';
    const port = this.services.anyPort(text.replace(/^.*:/, ''));
    if (port === undefined)
      throw new Failure(1, `Error: "${text}" does not look like a port.\nCannot parse dst/src address.`);
    const test = compare ?? ((a: number, b: number) => a === b);
    return (record) => test(side === 'sport' ? record.localPort : record.remotePort, port);
  }

  private host(side: 'src' | 'dst', text: string): SocketTest {
    const colon = text.lastIndexOf(':');
    const hostText = colon < 0 ? text : text.slice(0, colon);
    const portText = colon < 0 ? '' : text.slice(colon + 1);
    const prefix = hostText === '' || hostText === '*' ? undefined : socketPrefix(hostText);
    const port = portText === '' || portText === '*' ? undefined : this.services.anyPort(portText);
    return (record) => {
      const address = side === 'src' ? record.localAddress : record.remoteAddress;
      const own = side === 'src' ? record.localPort : record.remotePort;
      if (port !== undefined && own !== port) return false;
      return prefix === undefined || networkOf(address, prefix.prefix) === networkOf(prefix.address, prefix.prefix);
    };
  }

  private take(...choices: readonly string[]): boolean {
    if (!choices.includes(this.words[0] ?? '')) return false;
    this.words.shift();
    return true;
  }

  private bad(): Failure {
    return new Failure(1, `ss: bison bellows (while parsing filter): "syntax error!" Sorry.`);
  }
}

function socketPrefix(text: string): Prefix {
  const known = parseIpv4(text.replace(/\/.*/, '')) !== undefined;
  if (known) return parsePrefix(text, 'an inet prefix');
  throw new Failure(1, `Error: an inet prefix is expected rather than "${text}".\nCannot parse dst/src address.`);
}
