/**
 * `/api/session`: faults on lease. Text messages {"id", "fault": …} (fault-request.ts) put one in force, {"id", "heal": N}
 * ends it; each is answered with {"id", "done"} or {"id", "error"}. What has no id cannot be answered and ends the
 * session. When the socket closes, however, every fault that it
 * made is healed.
 */
import type { RawData, WebSocket } from 'ws';
import { bodyOf, EmuError } from '../../shared/device/errors.ts';
import { integer, object, problemsOf } from '../../shared/device/validate.ts';
import { type FaultRequest, readFault } from './fault-request.ts';
import type { Faults } from './faults.ts';

const id = integer(0, Number.MAX_SAFE_INTEGER);
const healChecker = object({ id, heal: id });

type SessionRequest =
  | { readonly id: number; readonly heal: number }
  | { readonly id: number; readonly request: FaultRequest };

/** Requests of one session that are being worked on; who sends more at once is not waiting for answers. */
const WORKED_ON_MAX = 1_000;
/** Answers that wait in the socket of one who asks and does not read. */
const UNREAD_BYTES_MAX = 1_000_000;

let sessions = 0;

export function serveSession(faults: Faults, socket: WebSocket, garbage: () => void): void {
  const holder = ++sessions;
  const mine = new Set<number>();
  let workedOn = 0;
  socket.on('message', (data: RawData, binary: boolean) => {
    const request = binary ? ['expected text'] : parse(String(data));
    if (Array.isArray(request)) {
      garbage();
      const known = binary ? undefined : idOf(String(data));
      const problem = new EmuError('EMU_BAD_REQUEST', request.join('; '));
      // A slip in one fault is no reason to end those that are in force.
      if (known !== undefined) return answer({ id: known, error: bodyOf(problem) });
      return socket.close(1003, `expected a fault; ${request[0] ?? ''}`.slice(0, 120));
    }
    if (workedOn >= WORKED_ON_MAX) {
      garbage();
      return socket.close(1008, 'too many requests at once');
    }
    workedOn++;
    void answerTo(request).finally(() => workedOn--);
  });
  socket.on('close', () => void faults.release(holder));

  async function answerTo(request: SessionRequest): Promise<void> {
    try {
      if ('heal' in request) {
        // Only its own: somebody else's ends with somebody else.
        if (!mine.delete(request.heal)) throw new EmuError('EMU_BAD_REQUEST', `no fault ${request.heal} is held here`);
        await faults.remove(request.heal);
        return answer({ id: request.id, done: {} });
      }
      const done = await faults.add(request.request, holder);
      mine.add(done.fault);
      // It may have closed while the fault was put in force.
      if (socket.readyState !== socket.OPEN) await faults.release(holder);
      answer({ id: request.id, done });
    } catch (error) {
      const known = error instanceof EmuError ? error : new EmuError('EMU_INTERNAL', String(error));
      answer({ id: request.id, error: bodyOf(known) });
    }
  }

  const answer = (message: object): void => {
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > UNREAD_BYTES_MAX) return socket.terminate();
    socket.send(JSON.stringify(message));
  };
}

/** Who is to be told of a request that cannot be read. */
function idOf(raw: string): number | undefined {
  try {
    const value = JSON.parse(raw) as { id?: unknown } | null;
    return problemsOf(id, value?.id).length === 0 ? (value?.id as number) : undefined;
  } catch {
    return undefined;
  }
}

/** The request, or what is wrong with it. */
function parse(raw: string): SessionRequest | string[] {
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch {
    return ['it is not JSON'];
  }
  if (typeof value !== 'object' || value === null) return ['it is no object'];
  if ('heal' in value) {
    const problems = problemsOf(healChecker, value);
    return problems.length > 0 ? problems : (value as SessionRequest);
  }
  const fault = readFault(value, { id });
  if (Array.isArray(fault)) return fault;
  return { id: (value as { id: number }).id, request: fault };
}
