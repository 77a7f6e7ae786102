/** What ping counts and how it sums up (iputils ping_common.c: gather_statistics, finish, status). */
import { formatG } from './text.ts';

/** Sequence numbers of ICMP echo wrap here; a reply to a number is a duplicate until it is sent anew. */
const SEQUENCES = 65_536;

export class PingStatistics {
  transmitted = 0;
  received = 0;
  repeats = 0;
  corrupted = 0;
  errors = 0;
  /** Most packets that were on their way at one time. */
  pipe = 0;
  private acknowledged = 0;
  private min = Number.MAX_SAFE_INTEGER;
  private max = 0;
  private sum = 0;
  private sumOfSquares = 0;
  /** Eight times the moving average. */
  private average8 = 0;
  private readonly answered = new Set<number>();

  /** A packet went out. Answers its sequence number on the wire. */
  nextSequence(): number {
    const sequence = (this.transmitted + 1) % SEQUENCES;
    this.answered.delete(sequence);
    return sequence;
  }

  wasAnswered(sequence: number): boolean {
    return this.answered.has(sequence % SEQUENCES);
  }

  /** acknowledge(): whatever comes back for a sequence number empties the pipe up to it. */
  acknowledge(sequence: number): void {
    const behind = (this.transmitted - sequence) & 0xffff;
    if (behind > 0x7fff) return;
    this.pipe = Math.max(this.pipe, behind + 1);
    if (
      ((sequence - this.acknowledged) << 16) >> 16 > 0 ||
      ((this.transmitted - this.acknowledged) & 0xffff) > 0x7fff
    ) {
      this.acknowledged = sequence;
    }
  }

  get inFlight(): number {
    const behind = (this.transmitted - this.acknowledged) & 0xffff;
    return behind <= 0x7fff ? behind : this.transmitted - this.received - this.errors;
  }

  get longestMicros(): number {
    return this.max;
  }

  get averageMicros(): number {
    return Math.floor(this.average8 / 8);
  }

  /** A reply; `micros` undefined when it carries no time. Answers whether it is a duplicate. */
  reply(sequence: number, micros: number | undefined): boolean {
    if (micros !== undefined) {
      this.sum += micros;
      this.sumOfSquares += micros * micros;
      this.min = Math.min(this.min, micros);
      this.max = Math.max(this.max, micros);
      this.average8 = this.average8 === 0 ? micros * 8 : this.average8 + micros - Math.floor(this.average8 / 8);
    }
    const duplicate = this.answered.has(sequence);
    if (duplicate) this.repeats++;
    else {
      this.answered.add(sequence);
      this.received++;
    }
    return duplicate;
  }

  /** The block at the end. `elapsed`: from the first packet to the last. */
  summary(name: string, elapsed: number, timing: boolean, rate: boolean): string {
    const parts = [`${this.transmitted} packets transmitted`, `${this.received} received`];
    if (this.repeats > 0) parts.push(`+${this.repeats} duplicates`);
    if (this.corrupted > 0) parts.push(`+${this.corrupted} corrupted`);
    if (this.errors > 0) parts.push(`+${this.errors} errors`);
    if (this.transmitted > 0) {
      const lost = Math.fround(((this.transmitted - this.received) * 100) / this.transmitted);
      parts.push(`${formatG(lost)}% packet loss`, `time ${Math.round(elapsed / 1_000)}ms`);
    }
    return `\n--- ${name} ping statistics ---\n${parts.join(', ')}\n${this.times(elapsed, timing, rate)}\n`;
  }

  private times(elapsed: number, timing: boolean, rate: boolean): string {
    const parts: string[] = [];
    const total = this.received + this.repeats;
    if (this.received > 0 && timing) {
      const mean = Math.floor(this.sum / total);
      const variance = Math.floor((this.sumOfSquares - Math.floor((this.sum * this.sum) / total)) / total);
      const deviation = Math.floor(Math.sqrt(Math.max(0, variance)));
      const values = [this.min, mean, this.max, deviation].map(threePlaces).join('/');
      parts.push(`rtt min/avg/max/mdev = ${values} ms`);
    }
    if (this.pipe > 1) parts.push(`pipe ${this.pipe}`);
    if (this.received > 0 && rate && this.transmitted > 1) {
      const gap = Math.floor(elapsed / (this.transmitted - 1));
      parts.push(`ipg/ewma ${threePlaces(gap)}/${threePlaces(this.averageMicros)} ms`);
    }
    return parts.join(', ');
  }
}

/** Microseconds as milliseconds with three decimals. */
export function threePlaces(micros: number): string {
  return `${Math.floor(micros / 1_000)}.${String(micros % 1_000).padStart(3, '0')}`;
}

/** The time of one reply: three significant digits above a millisecond. */
export function tripTime(micros: number): string {
  if (micros >= 99_950) return String(Math.floor((micros + 500) / 1_000));
  if (micros >= 9_995) return `${Math.floor((micros + 50) / 1_000)}.${Math.floor(((micros + 50) % 1_000) / 100)}`;
  if (micros >= 1_000) {
    return `${Math.floor((micros + 5) / 1_000)}.${String(Math.floor(((micros + 5) % 1_000) / 10)).padStart(2, '0')}`;
  }
  return threePlaces(micros);
}
