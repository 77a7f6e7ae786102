/** Exit statuses of the command, and the error that carries one to the end of main. */
export const EXIT = {
  DONE: 0,
  FAILED: 1,
  BAD_USE: 2,
  NO_PROGRAM: 127,
  INTERRUPTED: 130,
  /** Whoever read the output has gone: what a shell says of SIGPIPE. */
  BROKEN_PIPE: 141,
} as const;

/** The command ends: `message`, if any, is one line (or what a checker formatted) on standard error. */
export class CommandError extends Error {
  readonly status: number;
  constructor(message: string, status: number = EXIT.FAILED) {
    super(message);
    this.name = 'CommandError';
    this.status = status;
  }
}
