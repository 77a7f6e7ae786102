/** The connections of a script, and what was sent on each. A packet without ports belongs to the one under test. */
import type { Flow, PortPair } from './flow.ts';
import type { TcpLine } from './script.ts';
import { readSegment, type Segment } from './tcp-packet.ts';
import type { SentPacket } from './tun.ts';

/** The ports that a line of the script names, as the host sees them. */
export function portsOf({ ports }: TcpLine, direction: 'in' | 'out'): PortPair | undefined {
  if (ports === undefined) return undefined;
  const { source, target } = ports;
  return direction === 'in' ? { local: target, remote: source } : { local: source, remote: target };
}

export class Flows {
  /** The one under test: the newest, or that of the last packet with ports. */
  current: Flow | undefined = undefined;
  private readonly known: Flow[] = [];
  private readonly sent: SentPacket[];

  constructor(sent: SentPacket[]) {
    this.sent = sent;
  }

  begin(flow: Flow): Flow {
    this.known.push(flow);
    this.current = flow;
    return flow;
  }

  /** By the ports that the script gave it; a connection that has none yet takes them over, if `mayName`. */
  find(ports: PortPair | undefined, mayName = true): Flow | undefined {
    if (ports === undefined) return this.current;
    let found = this.known.findLast(
      ({ scriptPorts: its }) => its !== undefined && its.local === ports.local && its.remote === ports.remote,
    );
    if (found === undefined && mayName && this.current !== undefined && this.current.scriptPorts === undefined) {
      found = this.current;
      found.scriptPorts = ports;
    }
    if (found !== undefined) this.current = found;
    return found;
  }

  /** The next segment of `flow` that was sent; what others sent who are no connection of the script is passed over. */
  next(flow: Flow | undefined): Segment | undefined {
    return flow === undefined ? undefined : this.at(this.indexOf(flow));
  }

  take(flow: Flow): Segment | undefined {
    const index = this.indexOf(flow);
    const segment = this.at(index);
    if (segment !== undefined) this.sent.splice(index, 1);
    return segment;
  }

  private at(index: number): Segment | undefined {
    const packet = this.sent[index];
    return packet === undefined ? undefined : readSegment(packet);
  }

  private indexOf(flow: Flow): number {
    for (let i = 0; i < this.sent.length; ) {
      const segment = readSegment(this.sent[i]!);
      const owner = segment === undefined ? undefined : this.known.findLast((it) => it.sends(segment));
      if (owner === flow) return i;
      if (owner === undefined) this.sent.splice(i, 1);
      else i++;
    }
    return this.sent.length;
  }
}
