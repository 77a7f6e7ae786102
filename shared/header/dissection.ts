/** What a dissection is made of, and what its dissectors fill in: layers from the outside in, fields with the octets they stand in. */
import type { PlaceName } from './layers.ts';

export interface Field {
  /** Wireshark's filter name. */
  readonly name: string;
  readonly label: string;
  /** What a filter compares with. */
  readonly value: string | number;
  /** Octets it stands in, from the start of the frame; size 0: worked out, not on the wire. */
  readonly at: number;
  readonly size: number;
}

export interface Layer {
  readonly protocol: string;
  readonly title: string;
  readonly place: PlaceName;
  readonly at: number;
  readonly size: number;
  /** Where what it carries ends; behind it stand padding and FCS. */
  readonly end: number;
  readonly fields: readonly Field[];
}

export interface Dissection {
  /** The frame itself. */
  readonly bytes: Uint8Array;
  readonly layers: readonly Layer[];
  /** The columns of a packet list. */
  readonly source: string;
  readonly target: string;
  readonly protocol: string;
  readonly info: string;
}

/** What dissectors fill in, from the outside in. */
export class Dissector {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly layers: Layer[] = [];
  source = '';
  target = '';
  protocol = 'Ethernet';
  info = '';
  /** Inside an ICMP error: what is there is cut short, and its sums are over more than that. */
  quoted = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** `end`: of what the layer carries, which is its own when left out. */
  add(layer: Omit<Layer, 'end'>, end = layer.at + layer.size): void {
    this.layers.push({ ...layer, end });
  }

  /** Bytes that are not what the layer above promised. */
  malformed(protocol: string, why: string, at: number, end: number): void {
    this.info = `[Malformed ${protocol}: ${why}]`;
    const size = Math.max(0, end - at);
    const title = `Malformed ${protocol}: ${why}`;
    this.add({ protocol: '_ws.malformed', title, place: 'link', at, size, fields: [] });
  }

  /** What an HTTP message carries: to Wireshark that is no `data`, but of the kind that its header says. */
  body(at: number, end: number): void {
    const size = end - at;
    if (size > 0)
      this.add({ protocol: 'media', title: `Body (${size} bytes)`, place: 'application', at, size, fields: [] });
  }

  /** Octets that no dissector knows. */
  data(at: number, end: number): void {
    if (at >= end) return;
    const size = end - at;
    const fields: Field[] = [
      { name: 'data.data', label: `Data: ${size} bytes`, value: size, at, size },
      { name: 'data.len', label: `[Length: ${size}]`, value: size, at, size: 0 },
    ];
    this.add({ protocol: 'data', title: `Data (${size} bytes)`, place: 'application', at, size, fields });
  }
}
