/** Socket states in the three spellings that Linux has for them: the kernel's, ss's and ss's filters'. */

interface State {
  /** /proc/net/tcp's order and the kernel's name, as netstat prints it. */
  readonly kernel: string;
  readonly shown: string;
  readonly filter: string;
}

export const STATES: readonly State[] = [
  { kernel: 'ESTABLISHED', shown: 'ESTAB', filter: 'established' },
  { kernel: 'SYN_SENT', shown: 'SYN-SENT', filter: 'syn-sent' },
  { kernel: 'SYN_RECV', shown: 'SYN-RECV', filter: 'syn-recv' },
  { kernel: 'FIN_WAIT1', shown: 'FIN-WAIT-1', filter: 'fin-wait-1' },
  { kernel: 'FIN_WAIT2', shown: 'FIN-WAIT-2', filter: 'fin-wait-2' },
  { kernel: 'TIME_WAIT', shown: 'TIME-WAIT', filter: 'time-wait' },
  { kernel: 'CLOSE', shown: 'UNCONN', filter: 'closed' },
  { kernel: 'CLOSE_WAIT', shown: 'CLOSE-WAIT', filter: 'close-wait' },
  { kernel: 'LAST_ACK', shown: 'LAST-ACK', filter: 'last-ack' },
  { kernel: 'LISTEN', shown: 'LISTEN', filter: 'listening' },
  { kernel: 'CLOSING', shown: 'CLOSING', filter: 'closing' },
];

export const ALL_STATES: ReadonlySet<string> = new Set(STATES.map((state) => state.kernel));

const without = (...gone: string[]) => new Set([...ALL_STATES].filter((state) => !gone.includes(state)));

/** What ss shows of TCP when nothing else is asked for (SS_CONN). */
export const CONNECTED: ReadonlySet<string> = without('LISTEN', 'CLOSE', 'TIME_WAIT', 'SYN_RECV');

const GROUPS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['all', ALL_STATES],
  ['connected', without('LISTEN', 'CLOSE')],
  ['synchronized', without('LISTEN', 'CLOSE', 'SYN_SENT')],
  ['bucket', new Set(['SYN_RECV', 'TIME_WAIT'])],
  ['big', without('SYN_RECV', 'TIME_WAIT')],
]);

/** Other words that ss accepts. */
const ALIASES: Readonly<Record<string, string>> = {
  estab: 'established',
  syn_sent: 'syn-sent',
  syn_recv: 'syn-recv',
  'syn-rcv': 'syn-recv',
  unconnected: 'closed',
  unconn: 'closed',
  close: 'closed',
  listen: 'listening',
};

/** The states that a word of a filter means; undefined: no such word. */
export function statesNamed(word: string): ReadonlySet<string> | undefined {
  const group = GROUPS.get(word);
  if (group !== undefined) return group;
  const name = ALIASES[word] ?? word;
  const found = STATES.find((state) => state.filter === name || state.filter.replace(/-([0-9])$/, '$1') === name);
  return found === undefined ? undefined : new Set([found.kernel]);
}

/** The kernel's name of a record's state: sockets that know no states are UNCONN until they are connected. */
export function kernelState(record: {
  state: string;
  protocol: string;
  remotePort: number;
  remoteAddress: number;
}): string {
  if (record.protocol === 'tcp') return record.state;
  if (record.protocol === 'packet') return 'CLOSE';
  return record.remotePort !== 0 || record.remoteAddress !== 0 ? 'ESTABLISHED' : 'CLOSE';
}

export function shownState(kernel: string): string {
  return STATES.find((state) => state.kernel === kernel)?.shown ?? kernel;
}
