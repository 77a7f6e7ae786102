/** Address resolution for IPv4 over Ethernet (RFC 826). */
import { type Ipv4, type Mac, readMac, writeMac } from './address.ts';
import { type Malformed, malformed } from './malformed.ts';

export const ARP = {
  HARDWARE: 0,
  PROTOCOL: 2,
  HARDWARE_SIZE: 4,
  PROTOCOL_SIZE: 5,
  OPERATION: 6,
  SENDER_MAC: 8,
  SENDER_IP: 14,
  TARGET_MAC: 18,
  TARGET_IP: 24,
  SIZE: 28,
} as const;

export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

export interface ArpPacket {
  readonly operation: number;
  readonly senderMac: Mac;
  readonly senderIp: Ipv4;
  readonly targetMac: Mac;
  readonly targetIp: Ipv4;
}

export function parseArp(view: DataView, at: number, end: number): ArpPacket | Malformed {
  if (end - at < ARP.SIZE) return malformed('arp_too_short');
  const isIpv4OverEthernet =
    view.getUint16(at + ARP.HARDWARE) === 1 &&
    view.getUint16(at + ARP.PROTOCOL) === 0x0800 &&
    view.getUint8(at + ARP.HARDWARE_SIZE) === 6 &&
    view.getUint8(at + ARP.PROTOCOL_SIZE) === 4;
  if (!isIpv4OverEthernet) return malformed('arp_not_ipv4_over_ethernet');
  return {
    operation: view.getUint16(at + ARP.OPERATION),
    senderMac: readMac(view, at + ARP.SENDER_MAC),
    senderIp: view.getUint32(at + ARP.SENDER_IP) as Ipv4,
    targetMac: readMac(view, at + ARP.TARGET_MAC),
    targetIp: view.getUint32(at + ARP.TARGET_IP) as Ipv4,
  };
}

export function emitArp(view: DataView, at: number, packet: ArpPacket): void {
  view.setUint16(at + ARP.HARDWARE, 1);
  view.setUint16(at + ARP.PROTOCOL, 0x0800);
  view.setUint8(at + ARP.HARDWARE_SIZE, 6);
  view.setUint8(at + ARP.PROTOCOL_SIZE, 4);
  view.setUint16(at + ARP.OPERATION, packet.operation);
  writeMac(view, at + ARP.SENDER_MAC, packet.senderMac);
  view.setUint32(at + ARP.SENDER_IP, packet.senderIp);
  writeMac(view, at + ARP.TARGET_MAC, packet.targetMac);
  view.setUint32(at + ARP.TARGET_IP, packet.targetIp);
}
