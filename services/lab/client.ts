/** The command's side of the gateway: which lab is meant, requests, sockets. */
import { type IncomingHttpHeaders, request } from 'node:http';
import { WebSocket } from 'ws';
import { EmuError, type EmuErrorBody } from '../../shared/device/errors.ts';
import { type RunningLab, runningLabs, runtimeFolder } from '../../shared/device/running-lab.ts';
import { closest } from '../../shared/lab/closest.ts';
import { CommandError, EXIT } from './exit.ts';
import { TEXT } from './text.ts';

/** Real time; starting a device is the slowest thing asked for. */
const ANSWER_MS_MAX = 25_000;

/** The lab that a command means, which must be up. */
export async function meantLab(name: string | undefined): Promise<RunningLab> {
  const lab = await anyLab(name);
  if (lab.state === 'starting') throw new CommandError(TEXT.stillStarting(lab.lab));
  return lab;
}

/** The only lab that is up or coming up, or the one named. A Compose lab counts, too. */
export async function anyLab(name: string | undefined): Promise<RunningLab> {
  const labs = runningLabs(runtimeFolder(process.env));
  if (labs.length === 0 || (name !== undefined && !labs.some((lab) => lab.lab === name))) {
    const { findComposeLab } = await import('./engine-docker.ts');
    const compose = await findComposeLab(name);
    if (compose !== undefined) return compose;
  }
  const [only] = labs;
  if (only === undefined) throw new CommandError(TEXT.nothingUp);
  if (name === undefined) {
    if (labs.length > 1) throw new CommandError(TEXT.severalUp(labs.map((lab) => lab.lab).join(', ')), EXIT.BAD_USE);
    return only;
  }
  const named = labs.find((lab) => lab.lab === name);
  if (named !== undefined) return named;
  const near = closest(
    name,
    labs.map((lab) => lab.lab),
  );
  throw new CommandError(TEXT.notUp(name, near === undefined ? '' : `; did you mean ${near}?`));
}

export class GatewayClient {
  readonly lab: RunningLab;

  constructor(lab: RunningLab) {
    this.lab = lab;
  }

  get<T>(path: string): Promise<T> {
    return this.call<T>('GET', path);
  }

  post<T>(path: string, body: object = {}): Promise<T> {
    return this.call<T>('POST', path, body);
  }

  socket(path: string): WebSocket {
    const headers = { authorization: `Bearer ${this.lab.token}` };
    return new WebSocket(`${this.lab.gateway.replace(/^http/, 'ws')}${path}`, { headers, perMessageDeflate: false });
  }

  /** The error of a socket that never opened, as a line. */
  unreachable(why: string): EmuError {
    return new EmuError('EMU_LAB_DOWN', TEXT.noAnswer(this.lab.lab, why));
  }

  private async call<T>(method: string, path: string, body?: object): Promise<T> {
    const { text } = await this.ask(method, path, body === undefined ? {} : { body });
    try {
      return JSON.parse(text) as T;
    } catch {
      throw this.unreachable('an odd answer');
    }
  }

  /** One request; a refusal is thrown. */
  ask(method: string, path: string, options: AskOptions): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const payload = options.body === undefined ? undefined : JSON.stringify(options.body);
      const headers = {
        authorization: `Bearer ${this.lab.token}`,
        accept: options.accept ?? 'application/json',
        ...(payload === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
      };
      const timeout = options.timeoutMs ?? ANSWER_MS_MAX;
      const outgoing = request(`${this.lab.gateway}${path}`, { method, headers, timeout }, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', (error) => reject(this.unreachable(error.message)));
        incoming.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          if (incoming.statusCode === 200) resolve({ text, headers: incoming.headers });
          else reject(refused(text));
        });
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')));
      outgoing.on('error', (error: NodeJS.ErrnoException) => reject(this.unreachable(error.code ?? error.message)));
      outgoing.end(payload);
    });
  }
}

export interface AskOptions {
  readonly body?: object;
  readonly accept?: string;
  readonly timeoutMs?: number;
}

export interface Answer {
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
}

function refused(text: string): EmuError {
  try {
    return fromGateway((JSON.parse(text) as { error?: EmuErrorBody }).error);
  } catch {
    return fromGateway(undefined);
  }
}

/** What the gateway refused, as it was thrown there. */
export function fromGateway(body: EmuErrorBody | undefined): EmuError {
  if (body === undefined) return new EmuError('EMU_INTERNAL', 'an odd answer from the gateway');
  return new EmuError(body.code, body.message, body.details);
}
