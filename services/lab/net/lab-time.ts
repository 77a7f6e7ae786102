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

export function realTime(): LabTime {
  const clock = new SystemClock();
  /** A clock that has stopped wakes nobody. */
  const sleepers = new Set<(error: Error) => void>();
  return {
    clock,
    sleep: (micros) =>
      new Promise((resolve, reject) => {
        sleepers.add(reject);
        clock.after(micros, () => {
          sleepers.delete(reject);
          resolve();
        });
      }),
    during: (work) => work,
    stop: () => {
      clock.stop();
      for (const fail of sleepers) fail(new EmuError('EMU_LAB_DOWN', TEXT.labDown));
      sleepers.clear();
    },
  };
}

export function virtualTime(): LabTime {
  const clock = new ManualClock();
  /** What the test waits for; time passes while there is any. */
  const works = new Set<(error: Error) => void>();
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
    sleep: (micros) => during(new Promise((resolve) => void clock.after(micros, resolve))),
    stop: () => {
      for (const fail of works) fail(new EmuError('EMU_LAB_DOWN', TEXT.labDown));
      works.clear();
    },
  };
}
