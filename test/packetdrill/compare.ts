/** What was sent against what the script says: field by field, timestamps by the map of the flow. */
import type { Flow } from './flow.ts';
import { optionText, type ReadOption, readOptions } from './options.ts';
import { Mismatch, type TcpLine } from './script.ts';
import { flagText, ipFieldsOf, isSyn, type Segment } from './tcp-packet.ts';

const ACK = 0x10;
const URG = 0x20;

export interface StampRule {
  /** Length of a tick of the timestamp clock in microseconds, when the script says (--tcp_ts_tick_usecs). */
  readonly tick: number | undefined;
  readonly tolerance: number;
  /** Whether the echo is compared, which packetdrill itself leaves alone. */
  readonly echo: boolean;
}

/** The segment as the script would write it, with the fields that `want` names. */
export function describe(segment: Segment, flow: Flow, want?: TcpLine): string {
  const syn = isSyn(segment.flags);
  const seq = flow.toScriptLocal(segment.seq, syn);
  const parts = [`${flagText(segment.flags)} ${seq}:${(seq + segment.length) >>> 0}(${segment.length})`];
  if ((segment.flags & ACK) !== 0) parts.push(`ack ${flow.toScriptRemote(segment.ack, syn)}`);
  if (want === undefined || want.window !== undefined) parts.push(`win ${segment.window}`);
  if (segment.urgent !== 0 || want?.urgent !== undefined) parts.push(`urg ${segment.urgent}`);
  const options = readOptions(segment.options, flow);
  if (options.length > 0 && want?.options !== 'any') parts.push(`<${options.map(({ text }) => text).join(',')}>`);
  return parts.join(' ');
}

/** Throws Mismatch naming the first field that differs. */
export function compareSegment(segment: Segment, want: TcpLine, flow: Flow, rule: StampRule): void {
  if (segment.fault !== undefined) throw new Mismatch(`expected ${segment.fault}; sent ${describe(segment, flow)}`);
  // A SYN sets what the numbers count from.
  const syn = isSyn(segment.flags);
  if (syn) {
    flow.localIsn = segment.seq;
    flow.localScriptIsn = want.start;
  }
  const differ = (field: string, expected: unknown, got: unknown): void => {
    if (expected === got) return;
    throw new Mismatch(
      `${field}: expected ${String(expected)}, got ${String(got)}; sent ${describe(segment, flow, want)}`,
    );
  };
  differ('flags', flagText(want.flags), flagText(segment.flags));
  differ('reserved bits', 0, segment.reserved);
  differ('sequence number', want.start, flow.toScriptLocal(segment.seq, syn));
  differ('payload length', (want.end - want.start + 2 ** 32) % 2 ** 32, segment.length);
  if ((want.flags & ACK) !== 0) differ('ack', want.ack ?? 0, flow.toScriptRemote(segment.ack, syn));
  else differ('ack', 0, segment.ack);
  if (want.window !== undefined) differ('win', want.window, segment.window);
  differ('urg', (want.flags & URG) !== 0 ? (want.urgent ?? 0) : 0, segment.urgent);
  compareIp(segment, want, differ);
  if (want.options === 'any') return;
  const options = readOptions(segment.options, flow);
  const expected = want.options.map((option) => withStamp(option.words, optionText(option), options, rule));
  differ('options', expected.join(','), options.map(({ text }) => text).join(','));
  for (const [i, option] of want.options.entries()) {
    if (option.name === 'TS') checkStamp(Number(option.words[1]), options[i], flow, rule);
  }
}

function compareIp(segment: Segment, want: TcpLine, differ: (f: string, e: unknown, g: unknown) => void): void {
  const { ecn, tos, ttl } = ipFieldsOf(want.ip);
  if (ecn === 'ect01') differ('ECN field', true, (segment.tos & 3) === 1 || (segment.tos & 3) === 2);
  else if (ecn !== undefined) differ('ECN field', ecn, segment.tos & 3);
  if (tos !== undefined) differ('TOS', tos, segment.tos);
  if (ttl !== undefined) differ('TTL', ttl, segment.ttl);
}

/** The text of a scripted option; a timestamp's own value is taken from what was sent, and its echo if that is not compared. */
function withStamp(words: readonly string[], text: string, sent: readonly ReadOption[], { echo }: StampRule): string {
  if (!text.startsWith('TS ')) return text;
  const stamp = sent.find((option) => option.stamp !== undefined)?.stamp;
  return stamp === undefined ? text : `TS val ${stamp.val} ecr ${echo ? words[3] : stamp.ecr}`;
}

function checkStamp(script: number, option: ReadOption | undefined, flow: Flow, rule: StampRule): void {
  const live = option?.stamp?.val;
  if (live === undefined) return;
  const { firstStamp } = flow;
  if (rule.tick !== undefined && firstStamp !== undefined) {
    const off = ((live - firstStamp.live) | 0) - ((script - firstStamp.script) | 0);
    if (Math.abs(off) * rule.tick > rule.tolerance) {
      throw new Mismatch(`timestamp: expected ${script}, got ${(script + off) >>> 0}`);
    }
  }
  flow.learnStamp(script, live);
}
