/**
 * Ports for a lab's processes. They lie below the range from which the system takes ports for outgoing connections (Linux:
 * ip_local_port_range from 32768), because a lab dials many, and one of those must not take the port of a device that
 * is coming up or down.
 */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const FIRST = 10_000;
const LAST = 32_000;
/** Random places to look for enough free neighbours. */
const TRIES_MAX = 64;

export class PortTaken extends Error {
  readonly port: number;
  readonly index: number;
  constructor(port: number, index: number, code: string) {
    super(code === 'EADDRINUSE' ? `port ${port} is taken` : `port ${port} cannot be used (${code})`);
    this.name = 'PortTaken';
    this.port = port;
    this.index = index;
  }
}

/** `count` ports in a row from `base`; throws PortTaken. Without a base, from wherever they are free. */
export async function findPorts(count: number, base: number | undefined): Promise<number[]> {
  if (base !== undefined) {
    await tryAll(base, count);
    return Array.from({ length: count }, (_, i) => base + i);
  }
  for (let tries = 1; ; tries++) {
    const first = randomInt(FIRST, LAST - count);
    try {
      await tryAll(first, count);
      return Array.from({ length: count }, (_, i) => first + i);
    } catch (error) {
      if (tries === TRIES_MAX) throw error;
    }
  }
}

async function tryAll(first: number, count: number): Promise<void> {
  const results = await Promise.allSettled(Array.from({ length: count }, (_, i) => tryPort(first + i, i)));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

function tryPort(port: number, index: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => reject(new PortTaken(port, index, error.code ?? 'error')));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve()));
  });
}
