/**
 * The listening side of a device's wires: takes upgrades to GET /wires/NAME from the control server and hands each
 * connection to its wire, which then waits for its Hello. What comes before is answered in HTTP: 404 for a wire that is
 * not here, 400 for another protocol.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { farewell } from '../device/sockets.ts';
import { MESSAGE_BYTES_MAX, MESSAGE_PIECES_MAX } from './codec.ts';
import { SUBPROTOCOL } from './hello.ts';
import type { WebSocketWire } from './websocket.ts';

const PATH = '/wires/';

export class WireServer {
  /** Upgrades that were refused before they became connections. */
  refused = 0;
  private readonly wires = new Map<string, WebSocketWire>();
  private readonly server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
    maxFragments: MESSAGE_PIECES_MAX,
    clientTracking: false,
    handleProtocols: () => SUBPROTOCOL,
  });

  /** Let this wire's far end in. */
  add(wire: WebSocketWire): void {
    this.wires.set(wire.name, wire);
  }

  /** Take an upgrade; false when its path is not a wire's, and somebody else may have it. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    if (!path.startsWith(PATH)) return false;
    const wire = this.wires.get(decoded(path.slice(PATH.length)));
    if (wire === undefined) this.refuse(socket, '404 Not Found');
    else if (!offers(request, SUBPROTOCOL)) this.refuse(socket, '400 Bad Request');
    else {
      this.server.handleUpgrade(request, socket, head, (accepted) => {
        if (wire.accept(accepted, socket)) return;
        this.refused++;
        accepted.on('error', () => {});
        accepted.terminate();
      });
    }
    return true;
  }

  close(): void {
    this.server.close();
    for (const wire of this.wires.values()) wire.close();
  }

  private refuse(socket: Duplex, status: string): void {
    this.refused++;
    farewell(socket, `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  }
}

function offers(request: IncomingMessage, protocol: string): boolean {
  const offered = request.headers['sec-websocket-protocol'] ?? '';
  return offered.split(',').some((word) => word.trim() === protocol);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not an encoding of anything: no wire has such a name.
    return '';
  }
}
