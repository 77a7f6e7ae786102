/** How a program ends early: text for standard error and an exit status, thrown from anywhere inside it. */
import { type Errno, errorText, isErrno, SyscallError } from '../net/errno.ts';
import type { Program, ProgramContext } from '../net/syscalls.ts';

export class Failure extends Error {
  readonly status: number;
  /** Printed as it is, with a newline behind it; empty prints nothing. */
  readonly text: string;

  constructor(status: number, text = '') {
    super(text);
    this.name = 'Failure';
    this.status = status;
    this.text = text;
  }
}

/** Make a program of a body that may throw Failure. Its text ends in exactly one newline. */
export function program(body: (context: ProgramContext) => Promise<number>): Program {
  return async (context) => {
    try {
      return await body(context);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.text !== '') await context.err(error.text.endsWith('\n') ? error.text : `${error.text}\n`);
      return error.status;
    }
  };
}

/** What rtnetlink's answer means to ip(8): status 2 and `RTNETLINK answers: …`, or the kernel's own sentence. */
export function netlinkFailure(errno: Errno, sentences: Partial<Record<Errno, string>> = {}, status = 2): Failure {
  const sentence = sentences[errno];
  return new Failure(status, sentence === undefined ? `RTNETLINK answers: ${errorText(errno)}` : `Error: ${sentence}.`);
}

/** The errno that a system call threw; anything else is thrown on. */
export function errnoOf(error: unknown): Errno {
  if (error instanceof SyscallError) return error.code;
  throw error;
}

export function failOn(answer: unknown, sentences: Partial<Record<Errno, string>> = {}, status = 2): void {
  if (isErrno(answer)) throw netlinkFailure(answer, sentences, status);
}
