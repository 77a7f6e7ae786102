/**
 * Lab time of a packed lab. Real: a system clock. Virtual: a clock that moves only while a test waits for something of
 * the lab, from one timer to the next, and only when no work of this machine is pending: promises have settled and the
 * event loop has come round.
 */
import { SystemClock } from '../../../shared/device/clock.ts';
import type { SharedClock } from '../../../shared/device/device-clock.ts';
import { EmuError } from '../../../shared/device/errors.ts';
import { ManualClock, settlePromises } from '../../../shared/device/manual-clock.ts';
import type { Micros } from '../../../shared/platform.ts';
import { TEXT } from '../text.ts';

export interface LabTime {
  readonly clock: SharedClock;
  sleep(micros: Micros): Promise<void>;
  /** Lab time passes until the work is done. */
  during<T>(work: Promise<T>): Promise<T>;
  stop(): void;
}

/** Who sleeps in a lab: when it is taken down nobody would wake them, now or later, so they are told. */
export class Sleepers {
  private readonly fails = new Set<(error: Error) => void>();
  private down = false;

  sleep(wakeLater: (wake: () => void) => void): Promise<void> {
    if (this.down) return Promise.reject(labDown());
    return new Promise((resolve, reject) => {
      this.fails.add(reject);
      wakeLater(() => {
        this.fails.delete(reject);
        resolve();
      });
    });
  }

  end(): void {
    this.down = true;
    for (const fail of this.fails) fail(labDown());
    this.fails.clear();
  }
}

function labDown(): EmuError {
  return new EmuError('EMU_LAB_DOWN', TEXT.labDown);
}

export function realTime(): LabTime {
  const clock = new SystemClock();
  const sleepers = new Sleepers();
  return {
    clock,
    sleep: (micros) => sleepers.sleep((wake) => void clock.after(micros, wake)),
    during: (work) => work,
    stop: () => {
      clock.stop();
      sleepers.end();
    },
  };
}

export function virtualTime(): LabTime {
  const clock = new ManualClock();
  /** What the test waits for; time passes while there is any. */
  const works = new Set<(error: Error) => void>();
  const sleepers = new Sleepers();
  let running = false;

  async function run(): Promise<void> {
    if (running) return;
    running = true;
    try {
      while (works.size > 0) {
        await settlePromises();
        if (works.size === 0) break;
        const next = clock.nextDeadline;
        if (next === undefined) {
          // Sockets and files of Node's own would be waited for by the machine, and a packed lab has none.
          const stuck = new EmuError('EMU_TIMEOUT', 'the lab has come to rest: what is waited for will never happen');
          for (const fail of works) fail(stuck);
          break;
        }
        clock.run(next);
      }
    } finally {
      running = false;
    }
  }

  function during<T>(work: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const over = (): void => void works.delete(reject);
      works.add(reject);
      work.then(
        (value) => {
          over();
          resolve(value);
        },
        (error) => {
          over();
          reject(error);
        },
      );
      void run();
    });
  }

  return {
    clock,
    during,
    sleep: (micros) => during(sleepers.sleep((wake) => void clock.after(micros, wake))),
    stop: () => {
      sleepers.end();
      for (const fail of works) fail(labDown());
      works.clear();
    },
  };
}
