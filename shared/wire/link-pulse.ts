/**
 * When a wire's end says that it is there, and how long it has not heard that from the far end. Pulses go out each second;
 * three missed, and half a second for one that is on its way, are darkness: between 2.5 and 3.5 s after the far end stood
 * still, so that its neighbours know within four. Time is real, in milliseconds, and handed in.
 *
 * Interface: look(now) as soon as `next` has come, heard(now) for each pulse that came; true from either: send one of ours
 * now. Who hears one not long before its own is due answers at once, so that the two ends wake together and half as often.
 * A look that came late says something about us: the time since we were last awake counts for nothing.
 */

const PULSE_MS = 1_000;
const SILENCE_MS_MAX = 3_500;
/** A connection that is silent for so long is taken for dead, and dialled anew. */
const SILENCE_MS_DEAD = 10_000;
const LOOK_LATE_MS = 400;
/** A pulse of ours that is due so soon goes out with an answer. */
const EARLY_MS_MAX = 500;
/** Who answered waits this much longer for the next pulse than the other end takes to send it. */
const FOLLOW_MS = 50;

export class LinkPulse {
  /** No pulse for so long that there is no carrier. */
  dark = false;
  /** No pulse for so long that there is nobody. */
  dead = false;
  private awakeAt: number;
  /** Of the last pulse; later when we slept ourselves. */
  private heardAt: number;
  private sendAt: number;

  constructor(now: number) {
    this.awakeAt = now;
    this.heardAt = now;
    this.sendAt = now + PULSE_MS;
  }

  /** When to look: at the time for a pulse of ours, or when those that are missing have been waited for. */
  get next(): number {
    return this.dark ? this.sendAt : Math.min(this.sendAt, this.heardAt + SILENCE_MS_MAX);
  }

  /** True when a pulse of ours is to answer. */
  heard(now: number): boolean {
    this.heardAt = now;
    this.dark = false;
    this.dead = false;
    if (this.sendAt - now > EARLY_MS_MAX) return false;
    this.awakeAt = now;
    this.sendAt = now + PULSE_MS + FOLLOW_MS;
    return true;
  }

  /** True when a pulse of ours is due. */
  look(now: number): boolean {
    if (now - this.next > LOOK_LATE_MS) this.heardAt = Math.min(now, this.heardAt + now - this.awakeAt);
    this.awakeAt = now;
    const silence = now - this.heardAt;
    this.dark = silence >= SILENCE_MS_MAX;
    this.dead = silence >= SILENCE_MS_DEAD;
    if (now < this.sendAt) return false;
    // At the beat that was begun; a beat that was slept through is not made up for.
    this.sendAt = Math.max(this.sendAt + PULSE_MS, now + PULSE_MS - LOOK_LATE_MS);
    return true;
  }
}
