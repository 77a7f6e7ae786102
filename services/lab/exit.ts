/** Exit statuses of the command, and the error that carries one to the end of main. */
import { type EmuCode, EmuError } from '../../shared/device/errors.ts';

export const EXIT = {
  DONE: 0,
  FAILED: 1,
  BAD_USE: 2,
  NO_PROGRAM: 127,
  INTERRUPTED: 130,
  /** Whoever read the output has gone: what a shell says of SIGPIPE. */
  BROKEN_PIPE: 141,
} as const;

const BAD_USE: ReadonlySet<EmuCode> = new Set([
  'EMU_NO_DEVICE',
  'EMU_NO_PORT',
  'EMU_NO_WIRE',
  'EMU_NOT_WIRED',
  'EMU_BAD_REQUEST',
  'EMU_BAD_FILE',
]);

/** What went wrong, with the status it means for a shell. */
export function commandErrorOf(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  if (!(error instanceof EmuError)) return new CommandError((error as Error).stack ?? String(error));
  if (error.code === 'EMU_NO_PROGRAM') return new CommandError(error.message, EXIT.NO_PROGRAM);
  return new CommandError(error.message, BAD_USE.has(error.code) ? EXIT.BAD_USE : EXIT.FAILED);
}

/** The command ends: `message`, if any, is one line (or what a checker formatted) on standard error. */
export class CommandError extends Error {
  readonly status: number;
  constructor(message: string, status: number = EXIT.FAILED) {
    super(message);
    this.name = 'CommandError';
    this.status = status;
  }
}
