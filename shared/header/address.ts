/**
 * Addresses are numbers with a type, never text: text exists at the door (lab file, command line, listing) and is
 * parsed and printed here. A MAC is 48 bits in a double, an IPv4 address an unsigned 32-bit number.
 */
declare const macBrand: unique symbol;
declare const ipv4Brand: unique symbol;
export type Mac = number & { readonly [macBrand]: true };
export type Ipv4 = number & { readonly [ipv4Brand]: true };

export const MAC_BROADCAST = 0xffff_ffff_ffff as Mac;
export const MAC_ZERO = 0 as Mac;
export const IPV4_ANY = 0 as Ipv4;
export const IPV4_BROADCAST = 0xffff_ffff as Ipv4;
export const IPV4_LOOPBACK = 0x7f00_0001 as Ipv4;

/** The group bit: the lowest of the first octet (IEEE 802 §8.2). Broadcast has it too. */
export function isMulticastMac(mac: Mac): boolean {
  return (Math.floor(mac / 0x100_0000_0000) & 1) === 1;
}

export function readMac(view: DataView, at: number): Mac {
  return (view.getUint16(at) * 0x1_0000_0000 + view.getUint32(at + 2)) as Mac;
}

export function writeMac(view: DataView, at: number, mac: Mac): void {
  view.setUint16(at, Math.floor(mac / 0x1_0000_0000));
  view.setUint32(at + 2, mac % 0x1_0000_0000);
}

/** `02:00:00:00:00:0a`, lower case as Linux prints it. */
export function formatMac(mac: Mac): string {
  return mac
    .toString(16)
    .padStart(12, '0')
    .replace(/(..)(?!$)/g, '$1:');
}

/** Six hex pairs joined by `:` or `-`; undefined for anything else. */
export function parseMac(text: string): Mac | undefined {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return Number.parseInt(text.replace(/[:-]/g, ''), 16) as Mac;
}

export function formatIpv4(address: Ipv4): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** Dotted quad with four decimal parts and no leading zeros; undefined for anything else. */
export function parseIpv4(text: string): Ipv4 | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let address = 0;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    address = address * 256 + Number(part);
  }
  return address as Ipv4;
}

/** The mask of a prefix length from 0 to 32. */
export function maskOf(prefix: number): Ipv4 {
  return (prefix === 0 ? 0 : (0xffff_ffff << (32 - prefix)) >>> 0) as Ipv4;
}

export function networkOf(address: Ipv4, prefix: number): Ipv4 {
  return ((address & maskOf(prefix)) >>> 0) as Ipv4;
}

/** The subnet's all-ones address. */
export function broadcastOf(address: Ipv4, prefix: number): Ipv4 {
  return ((address | ~maskOf(prefix)) >>> 0) as Ipv4;
}

/** Class D, 224.0.0.0/4. */
export function isMulticastIpv4(address: Ipv4): boolean {
  return address >>> 28 === 14;
}

export function isLoopbackIpv4(address: Ipv4): boolean {
  return address >>> 24 === 127;
}

/** `10.0.0.1/24` as address and prefix length; undefined when either part is wrong. */
export function parseCidr(text: string): { address: Ipv4; prefix: number } | undefined {
  const match = /^([0-9.]+)\/(0|[1-9][0-9]?)$/.exec(text);
  if (match === null) return undefined;
  const address = parseIpv4(match[1] ?? '');
  const prefix = Number(match[2]);
  return address === undefined || prefix > 32 ? undefined : { address, prefix };
}
