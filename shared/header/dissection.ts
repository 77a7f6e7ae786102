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
  readonly fields: readonly Field[];
}

export interface Dissection {
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

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  add(layer: Layer): void {
    this.layers.push(layer);
  }

  /** Bytes that are not what the layer above promised. */
  malformed(protocol: string, why: string, at: number, end: number): void {
    this.info = `[Malformed ${protocol}: ${why}]`;
    this.layers.push({
      protocol: '_ws.malformed',
      title: `Malformed ${protocol}: ${why}`,
      place: 'link',
      at,
      size: Math.max(0, end - at),
      fields: [],
    });
  }

  /** Octets that no dissector knows. */
  data(at: number, end: number): void {
    if (at >= end) return;
    const size = end - at;
    const field: Field = { name: 'data.len', label: `Length: ${size}`, value: size, at, size };
    this.add({ protocol: 'data', title: `Data (${size} bytes)`, place: 'application', at, size, fields: [field] });
  }
}
