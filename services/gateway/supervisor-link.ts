/** The gateway's side of the supervisor's IPC channel: what runs, and asking for a device to be killed or started. */
import { EMU_ERRORS, type EmuCode, EmuError } from '../../shared/device/errors.ts';
import type { FromSupervisor, LifecycleVerb, ProcessStatus } from '../../shared/device/ipc.ts';
import { tellSupervisor } from '../../shared/device/ipc.ts';

/** Real time; starting a device on a busy machine is the slowest. */
const ANSWER_MS_MAX = 20_000;

export class SupervisorLink {
  private readonly waiting = new Map<number, (error: EmuError | undefined) => void>();
  private next = 1;

  constructor(onStatus: (statuses: readonly ProcessStatus[]) => void) {
    process.on('message', (raw) => {
      const message = raw as FromSupervisor;
      if (message.type === 'status') return onStatus(message.devices);
      if (message.type !== 'answer') return;
      const { error } = message;
      this.waiting.get(message.id)?.(error === undefined ? undefined : new EmuError(codeOf(error.code), error.message));
    });
  }

  get present(): boolean {
    return process.connected === true;
  }

  request(verb: LifecycleVerb, device: string): Promise<void> {
    this.mustBePresent();
    const id = this.next++;
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => settle(new EmuError('EMU_INTERNAL', 'the supervisor does not answer')),
        ANSWER_MS_MAX,
      );
      const settle = (error: EmuError | undefined): void => {
        clearTimeout(late);
        this.waiting.delete(id);
        if (error === undefined) resolve();
        else reject(error);
      };
      this.waiting.set(id, settle);
      tellSupervisor({ type: 'lifecycle', id, verb, device });
    });
  }

  down(): void {
    this.mustBePresent();
    tellSupervisor({ type: 'down' });
  }

  private mustBePresent(): void {
    if (this.present) return;
    throw new EmuError('EMU_NO_SUPERVISOR', 'this lab has no supervisor of ours; its engine starts and stops devices');
  }
}

function codeOf(code: string): EmuCode {
  return Object.hasOwn(EMU_ERRORS, code) ? (code as EmuCode) : 'EMU_INTERNAL';
}
