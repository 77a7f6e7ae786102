/** The gateway's side of a device's control server: requests with a bound on time, and sockets that come back. */
import { Agent, request } from 'node:http';
import { WebSocket } from 'ws';
import type { EmuCode, EmuErrorBody } from '../../shared/device/errors.ts';
import { EMU_ERRORS, EmuError } from '../../shared/device/errors.ts';

/** Real time; a device that is up answers within a few milliseconds. */
const ANSWER_MS_MAX = 2_000;
const ANSWER_BYTES_MAX = 8_000_000;
const CONNECTIONS_MAX = 4;

export interface DeviceAddress {
  readonly name: string;
  /** `http://HOST:PORT`. */
  readonly control: string;
}

/** How a device is reached: over its control server, or in the same process. */
export interface DeviceDoor {
  readonly name: string;
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: object): Promise<T>;
  socket(path: string): WebSocket;
  close(): void;
}

export class DeviceLink implements DeviceDoor {
  readonly name: string;
  private readonly control: string;
  private readonly token: string;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX });

  constructor(address: DeviceAddress, token: string) {
    this.name = address.name;
    this.control = address.control;
    this.token = token;
  }

  get<T>(path: string): Promise<T> {
    return this.call<T>('GET', path);
  }

  post<T>(path: string, body: object = {}): Promise<T> {
    return this.call<T>('POST', path, body);
  }

  /** A socket to one of the device's endpoints. */
  socket(path: string): WebSocket {
    const headers = { authorization: `Bearer ${this.token}` };
    return new WebSocket(`${this.control.replace(/^http/, 'ws')}${path}`, { headers, perMessageDeflate: false });
  }

  close(): void {
    this.agent.destroy();
  }

  private call<T>(method: string, path: string, body?: object): Promise<T> {
    return new Promise((resolve, reject) => {
      const payload = body === undefined ? undefined : JSON.stringify(body);
      const headers = {
        authorization: `Bearer ${this.token}`,
        ...(payload === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
      };
      const down = (why: string): void =>
        reject(new EmuError('EMU_DEVICE_DOWN', `${this.name} is not up (${why})`, { device: this.name }));
      const outgoing = request(
        `${this.control}${path}`,
        { method, agent: this.agent, headers, timeout: ANSWER_MS_MAX },
        (incoming) => {
          const chunks: Buffer[] = [];
          let size = 0;
          incoming.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > ANSWER_BYTES_MAX) incoming.destroy(new Error('its answer is too long'));
            else chunks.push(chunk);
          });
          incoming.on('error', (error) => down(error.message));
          incoming.on('end', () => {
            try {
              const answer: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
              if (incoming.statusCode === 200) resolve(answer as T);
              else reject(errorOf(answer));
            } catch {
              down('its answer is not JSON');
            }
          });
        },
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')));
      outgoing.on('error', (error: NodeJS.ErrnoException) => down(error.code ?? error.message));
      outgoing.end(payload);
    });
  }
}

/** The error in a device's answer, as it was thrown there. */
export function errorOf(answer: unknown): EmuError {
  const body = (answer as { error?: EmuErrorBody } | null)?.error;
  if (body === undefined || !Object.hasOwn(EMU_ERRORS, body.code)) return new EmuError('EMU_INTERNAL', 'an odd answer');
  return new EmuError(body.code as EmuCode, body.message, body.details);
}
