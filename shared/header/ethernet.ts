/** Ethernet II (RFC 894) and what surrounds a frame on the cable (IEEE 802.3 §3). */
import { type Mac, readMac, writeMac } from './address.ts';
import { type Malformed, malformed } from './malformed.ts';

export const ETHERNET = { TARGET: 0, SOURCE: 6, TYPE: 12, SIZE: 14 } as const;

export const ETHERTYPE = { IPV4: 0x0800, ARP: 0x0806, IPV6: 0x86dd } as const;

/** Seven octets of preamble and the start frame delimiter come before every frame on the cable, the FCS after it. */
export const CABLE = { PREAMBLE: 0x55, PREAMBLE_SIZE: 7, SFD: 0xd5, LEAD: 8, FCS: 4 } as const;

/** Smallest frame without FCS: shorter ones are padded with zeros by the sender (60 + 4 = 64 octets). */
export const FRAME_SIZE_MIN = 60;
/** Header and FCS around an MTU. */
export const FRAME_OVERHEAD = ETHERNET.SIZE + CABLE.FCS;
export const MTU_DEFAULT = 1_500;
/** IEEE 802.3 §4.2.7: a value up to 1500 in the type field is a length, from 0x600 on a type. */
export const ETHERTYPE_MIN = 0x600;

export interface EthernetHeader {
  readonly target: Mac;
  readonly source: Mac;
  readonly type: number;
}

export function parseEthernet(view: DataView, at: number, end: number): EthernetHeader | Malformed {
  if (end - at < ETHERNET.SIZE) return malformed('ethernet_too_short');
  return {
    target: readMac(view, at + ETHERNET.TARGET),
    source: readMac(view, at + ETHERNET.SOURCE),
    type: view.getUint16(at + ETHERNET.TYPE),
  };
}

export function emitEthernet(view: DataView, at: number, header: EthernetHeader): void {
  writeMac(view, at + ETHERNET.TARGET, header.target);
  writeMac(view, at + ETHERNET.SOURCE, header.source);
  view.setUint16(at + ETHERNET.TYPE, header.type);
}
