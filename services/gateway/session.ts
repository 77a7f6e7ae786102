/**
 * `/api/session`: faults on lease. Text messages {"id", "fault": "unplug" | "impair", "target", "impairment"?} are
 * answered with {"id", "done"} or {"id", "error"}; when the socket closes, however, every fault it made is healed.
 */
import type { RawData, WebSocket } from 'ws';
import { impairmentChecker } from '../../shared/device/config.ts';
import { bodyOf, EmuError } from '../../shared/device/errors.ts';
import { integer, object, oneOf, optional, problemsOf, text } from '../../shared/device/validate.ts';
import type { Impairment } from '../../shared/lab/plan-types.ts';
import { type Faults, Lease } from './faults.ts';
import type { Lab } from './lab.ts';

const checker = object({
  id: integer(0, Number.MAX_SAFE_INTEGER),
  fault: oneOf('unplug', 'impair'),
  target: text('a port or a wire'),
  impairment: optional(impairmentChecker),
});

interface FaultRequest {
  readonly id: number;
  readonly fault: 'unplug' | 'impair';
  readonly target: string;
  readonly impairment?: Impairment;
}

export function serveSession(lab: Lab, faults: Faults, socket: WebSocket, garbage: () => void): void {
  const lease = new Lease(faults);
  // One at a time, so that healing undoes them in the right order.
  let queue: Promise<unknown> = Promise.resolve();
  socket.on('message', (data: RawData, binary: boolean) => {
    const request = binary ? undefined : parse(String(data));
    if (request === undefined) {
      garbage();
      return socket.close(1003, 'expected a fault');
    }
    queue = queue.then(async () => {
      try {
        const done =
          request.fault === 'unplug'
            ? await lease.unplug(request.target)
            : await lease.impair(lab, request.target, request.impairment ?? {});
        answer({ id: request.id, done });
      } catch (error) {
        answer({
          id: request.id,
          error: bodyOf(error instanceof EmuError ? error : new EmuError('EMU_INTERNAL', String(error))),
        });
      }
    });
  });
  socket.on('close', () => {
    queue = queue.then(() => lease.end());
  });
  const answer = (message: object): void => {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
  };
}

function parse(raw: string): FaultRequest | undefined {
  try {
    const value: unknown = JSON.parse(raw);
    return problemsOf(checker, value).length === 0 ? (value as FaultRequest) : undefined;
  } catch {
    return undefined;
  }
}
