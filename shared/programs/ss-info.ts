/** What ss -i says of a TCP socket: struct tcp_info field by field, in tcp_stats_print's order (iproute2 misc/ss.c). */
import type { SocketRecord } from '../net/netlink.ts';
import { formatG } from './text.ts';

/** Fields by their kernel names without `tcpi_`; times in microseconds but `last_*` in milliseconds. */
type Info = NonNullable<SocketRecord['info']>;

/** TCPI_OPT_. */
const OPTION = { TIMESTAMPS: 1, SACK: 2, WSCALE: 4, ECN: 8, ECN_SEEN: 16, SYN_DATA: 32 } as const;
/** What the kernel starts with is not worth a word. */
const REORDERING_DEFAULT = 3;
const SSTHRESH_INFINITE = 0xffff;
const RTO_UNKNOWN = 3_000_000;
const RATE_UNLIMITED = 0xffff_ffff_ffff;

/** A number, 0 when the kernel does not say. */
function field(info: Info, name: string): number {
  const value = info[name];
  return typeof value === 'number' ? value : value === true ? 1 : 0;
}

/** tcp_get_info fills in little for a listener: what its connections will start with. */
const LISTENER_FIELDS = ['congestion', 'ca_name', 'cong', 'snd_cwnd', 'unacked', 'reordering'];

export function listenerInfo(info: Info): Info {
  return Object.fromEntries(Object.entries(info).filter(([name]) => LISTENER_FIELDS.includes(name)));
}

export function tcpInfoText(info: Info, options: boolean, numeric: boolean): string {
  const n = (name: string) => field(info, name);
  const words: string[] = [];
  const say = (condition: boolean | number, text: string) => {
    if (condition) words.push(text);
  };
  const count = (label: string, name: string) => say(n(name), `${label}:${n(name)}`);
  const millis = (label: string, name: string) => say(n(name), `${label}:${formatG(n(name) / 1_000)}`);
  const rate = (value: number) => `${bandwidth(value, numeric)}bps`;
  if (options) sayOptions(n('options'), say);
  const algorithm = info['congestion'] ?? info['ca_name'] ?? info['cong'];
  say(algorithm !== undefined, String(algorithm));
  say(n('options') & OPTION.WSCALE, `wscale:${n('snd_wscale')},${n('rcv_wscale')}`);
  say(n('rto') !== 0 && n('rto') !== RTO_UNKNOWN, `rto:${formatG(n('rto') / 1_000)}`);
  count('backoff', 'backoff');
  say(n('rtt'), `rtt:${formatG(n('rtt') / 1_000)}/${formatG(n('rttvar') / 1_000)}`);
  millis('ato', 'ato');
  count('mss', 'snd_mss');
  count('pmtu', 'pmtu');
  count('rcvmss', 'rcv_mss');
  count('advmss', 'advmss');
  count('cwnd', 'snd_cwnd');
  say(n('snd_ssthresh') !== 0 && n('snd_ssthresh') < SSTHRESH_INFINITE, `ssthresh:${n('snd_ssthresh')}`);
  for (const name of ['bytes_sent', 'bytes_retrans', 'bytes_acked', 'bytes_received']) count(name, name);
  for (const name of ['segs_out', 'segs_in', 'data_segs_out', 'data_segs_in']) count(name, name);
  const canSend = n('rtt') > 0 && n('snd_mss') > 0 && n('snd_cwnd') > 0;
  say(canSend, `send ${rate((n('snd_cwnd') * n('snd_mss') * 8_000_000) / n('rtt'))}`);
  count('lastsnd', 'last_data_sent');
  count('lastrcv', 'last_data_recv');
  count('lastack', 'last_ack_recv');
  const pacing = n('pacing_rate');
  const pacingMax = n('max_pacing_rate');
  const limit = pacingMax > 0 && pacingMax < RATE_UNLIMITED ? `/${rate(pacingMax * 8)}` : '';
  say(pacing > 0 && pacing < RATE_UNLIMITED, `pacing_rate ${rate(pacing * 8)}${limit}`);
  say(n('delivery_rate'), `delivery_rate ${rate(n('delivery_rate') * 8)}`);
  count('delivered', 'delivered');
  count('delivered_ce', 'delivered_ce');
  say(n('delivery_rate_app_limited'), 'app_limited');
  sayLimits(n, say);
  count('unacked', 'unacked');
  say(n('retrans') || n('total_retrans'), `retrans:${n('retrans')}/${n('total_retrans')}`);
  count('lost', 'lost');
  count('sacked', 'sacked');
  count('dsack_dups', 'dsack_dups');
  count('fackets', 'fackets');
  say(n('reordering') !== 0 && n('reordering') !== REORDERING_DEFAULT, `reordering:${n('reordering')}`);
  count('reord_seen', 'reord_seen');
  millis('rcv_rtt', 'rcv_rtt');
  count('rcv_space', 'rcv_space');
  count('rcv_ssthresh', 'rcv_ssthresh');
  count('notsent', 'notsent_bytes');
  say(n('min_rtt') !== 0 && n('min_rtt') < 0xffff_ffff, `minrtt:${formatG(n('min_rtt') / 1_000)}`);
  count('rcv_ooopack', 'rcv_ooopack');
  count('snd_wnd', 'snd_wnd');
  return words.map((word) => ` ${word}`).join('');
}

type Say = (condition: boolean | number, text: string) => void;

function sayOptions(bits: number, say: Say): void {
  say(bits & OPTION.TIMESTAMPS, 'ts');
  say(bits & OPTION.SACK, 'sack');
  say(bits & OPTION.ECN, 'ecn');
  say(bits & OPTION.ECN_SEEN, 'ecnseen');
  say(bits & OPTION.SYN_DATA, 'fastopen');
}

/** How long there was something to send, and what held it up. */
function sayLimits(n: (name: string) => number, say: Say): void {
  const busy = n('busy_time');
  if (busy === 0) return;
  const share = (micros: number) => `${Math.floor(micros / 1_000)}ms(${((100 * micros) / busy).toFixed(1)}%)`;
  say(true, `busy:${Math.floor(busy / 1_000)}ms`);
  say(n('rwnd_limited'), `rwnd_limited:${share(n('rwnd_limited'))}`);
  say(n('sndbuf_limited'), `sndbuf_limited:${share(n('sndbuf_limited'))}`);
}

/** sprint_bw(): three significant digits and a unit, or the number with -n. */
function bandwidth(bitsPerSecond: number, numeric: boolean): string {
  if (numeric) return bitsPerSecond.toFixed(0);
  for (const [unit, size] of [
    ['T', 1e12],
    ['G', 1e9],
    ['M', 1e6],
    ['K', 1e3],
  ] as const) {
    if (bitsPerSecond > size) return `${formatG(bitsPerSecond / size, 3)}${unit}`;
  }
  return formatG(bitsPerSecond, 3);
}

/** print_ms_timer(). */
export function timerText(micros: number): string {
  const timeout = Math.max(0, Math.floor(micros / 1_000));
  const minutes = Math.floor(timeout / 60_000);
  let seconds = Math.floor(timeout / 1_000) % 60;
  let millis = timeout % 1_000;
  let text = '';
  if (minutes > 0) {
    text += `${minutes}min`;
    millis = 0;
    if (minutes > 9) seconds = 0;
  }
  if (seconds > 0) {
    if (seconds > 9) millis = 0;
    text += `${seconds}${millis > 0 ? '.' : 'sec'}`;
  }
  if (millis > 0) text += `${String(millis).padStart(3, '0')}ms`;
  return text;
}
