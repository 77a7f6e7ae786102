/** The TCP connections that the browser opened, by its own port. */
import { type Evidence, numberOf, type SeenFrame, textOf } from './recording.ts';

export interface Connection {
  readonly client: string;
  readonly port: number;
  readonly server: string;
  readonly serverPort: number;
  /** Frames at the client's own port, both ways. */
  readonly frames: readonly SeenFrame[];
}

export function connectionsOf(evidence: Evidence): Connection[] {
  const client = evidence.recording.device;
  const connections = new Map<number, Connection & { frames: SeenFrame[] }>();
  for (const frame of evidence.frames) {
    if (frame.device !== client || !isSegment(frame)) continue;
    const isOut = frame.direction === 'out';
    const port = numberOf(frame, isOut ? 'tcp.srcport' : 'tcp.dstport');
    const known = connections.get(port);
    if (known !== undefined) known.frames.push(frame);
    else if (isOut && isSyn(frame)) {
      connections.set(port, {
        client,
        port,
        server: textOf(frame, 'ip.dst'),
        serverPort: numberOf(frame, 'tcp.dstport'),
        frames: [frame],
      });
    }
  }
  return [...connections.values()];
}

/** An ICMP error quotes one, and is none. */
function isSegment({ dissection }: SeenFrame): boolean {
  const names = dissection.layers.map((layer) => layer.protocol);
  return names.includes('tcp') && !names.includes('icmp');
}

export function isSyn(frame: SeenFrame): boolean {
  return numberOf(frame, 'tcp.flags.syn') === 1 && numberOf(frame, 'tcp.flags.ack') === 0;
}
