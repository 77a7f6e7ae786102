/**
 * IPv4 on a device: its addresses, its part of the sysctl tree, its multicast groups (Linux: net/ipv4/devinet.c).
 * Adding an address makes its routes (fib-frontend's part, in fib.ts). Left out: labels, lifetimes, peer addresses.
 */
import { IPV4_ANY, type Ipv4, isLoopbackIpv4, isMulticastIpv4, networkOf } from '../header/address.ts';
import type { Errno } from './errno.ts';
import type { Host } from './host.ts';
import type { NetDevice } from './netdev.ts';
import type { DeviceEvent } from './netdev-registry.ts';
import { SysctlNumber } from './sysctl.ts';

/** Addresses per device: more is a configuration gone wrong. */
export const ADDRESSES_PER_DEVICE_MAX = 1_024;
/** Linux: net.ipv4.igmp_max_memberships is 20 a socket; this is per device. */
export const GROUPS_PER_DEVICE_MAX = 256;
/** 224.0.0.1: every host is a member (RFC 1112 §4). */
const ALL_SYSTEMS = 0xe000_0001;

export type Scope = 'global' | 'link' | 'host';

export interface InetAddress {
  readonly dev: NetDevice;
  readonly address: Ipv4;
  readonly prefix: number;
  /** As given; undefined as `ip addr add` without `brd` leaves it. */
  readonly broadcast: Ipv4 | undefined;
  readonly scope: Scope;
  /** Not the first of its subnet on the device: gives way when a source is chosen. */
  secondary: boolean;
}

/** net.ipv4.conf.NAME.*: kernel defaults (devinet.c ipv4_devconf). */
const CONF_DEFAULTS = {
  accept_local: 0,
  accept_redirects: 1,
  accept_source_route: 0,
  arp_accept: 0,
  arp_announce: 0,
  arp_evict_nocarrier: 1,
  arp_filter: 0,
  arp_ignore: 0,
  arp_notify: 0,
  drop_gratuitous_arp: 0,
  drop_unicast_in_l2_multicast: 0,
  forwarding: 0,
  ignore_routes_with_linkdown: 0,
  log_martians: 0,
  medium_id: 0,
  promote_secondaries: 0,
  proxy_arp: 0,
  proxy_arp_pvlan: 0,
  route_localnet: 0,
  rp_filter: 0,
  secure_redirects: 1,
  send_redirects: 1,
  shared_media: 1,
};

export type ConfName = keyof typeof CONF_DEFAULTS;
export type Conf = { readonly [K in ConfName]: SysctlNumber };

/** What IPv4 keeps of one device (struct in_device). */
export class InetDevice {
  readonly dev: NetDevice;
  readonly conf: Conf;
  addresses: InetAddress[] = [];
  /** Multicast groups joined, with how often. */
  readonly groups = new Map<Ipv4, number>([[ALL_SYSTEMS as Ipv4, 1]]);

  constructor(dev: NetDevice, conf: Conf) {
    this.dev = dev;
    this.conf = conf;
  }
}

export class Inet {
  readonly all: Conf;
  readonly fallback: Conf;
  private readonly host: Host;
  /** Values of devices that somebody set: `default` leaves them alone (struct ipv4_devconf's state). */
  private readonly explicit = new WeakSet<SysctlNumber>();
  /** Devices that had an address: nothing of theirs follows `default` any more (ipv4_devconf_setall). */
  private readonly settled = new WeakSet<InetDevice>();
  private readonly byIndex: (InetDevice | undefined)[] = [];
  private readonly watchers: ((event: 'add' | 'delete', address: InetAddress) => void)[] = [];

  constructor(host: Host) {
    this.host = host;
    this.all = this.makeConf('all', undefined);
    this.fallback = this.makeConf('default', undefined);
    this.fallback.accept_source_route.value = 1;
    host.sysctl.register('net.ipv4.ip_forward', {
      read: () => this.all.forwarding.read(),
      write: (text) => this.all.forwarding.write(text),
    });
    host.devices.watch((event, dev) => this.onDevice(event, dev));
  }

  /** Whether the device's values are its own, whatever becomes of `default`. */
  isSettled(ifindex: number): boolean {
    const part = this.byIndex[ifindex];
    return part !== undefined && this.settled.has(part);
  }

  device(ifindex: number): InetDevice | undefined {
    return this.byIndex[ifindex];
  }

  /** Every device's part, in the order of their indexes. */
  list(): InetDevice[] {
    return this.byIndex.filter((part) => part !== undefined);
  }

  /** Hear of addresses that come and go (inetaddr_chain). */
  watch(watcher: (event: 'add' | 'delete', address: InetAddress) => void): void {
    this.watchers.push(watcher);
  }

  /** The device's own alone (IN_DEV_CONF_GET). */
  own(ifindex: number, name: ConfName): number {
    return this.byIndex[ifindex]?.conf[name].value ?? 0;
  }

  /** The device's and `all` must both be set (IN_DEV_ANDCONF). */
  both(ifindex: number, name: ConfName): boolean {
    return this.all[name].value !== 0 && this.own(ifindex, name) !== 0;
  }

  /** The device's or `all` (IN_DEV_ORCONF). */
  either(ifindex: number, name: ConfName): boolean {
    return this.all[name].value !== 0 || this.own(ifindex, name) !== 0;
  }

  /** The larger of both (IN_DEV_MAXCONF). */
  larger(ifindex: number, name: ConfName): number {
    return Math.max(this.all[name].value, this.own(ifindex, name));
  }

  forwarding(ifindex: number): boolean {
    return this.own(ifindex, 'forwarding') !== 0;
  }

  /** IN_DEV_RX_REDIRECTS: a router needs both set, a host either. */
  acceptsRedirects(ifindex: number): boolean {
    return this.forwarding(ifindex) ? this.both(ifindex, 'accept_redirects') : this.either(ifindex, 'accept_redirects');
  }

  /** ip addr add. (Linux: __inet_insert_ifa) */
  addAddress(
    dev: NetDevice,
    address: Ipv4,
    options: { prefix: number; broadcast?: Ipv4 | undefined; scope?: Scope },
  ): Errno | undefined {
    const part = this.byIndex[dev.ifindex];
    const { prefix, broadcast } = options;
    if (part === undefined) return 'ENODEV';
    if (prefix < 0 || prefix > 32 || isMulticastIpv4(address) || address === IPV4_ANY) return 'EINVAL';
    if (part.addresses.length >= ADDRESSES_PER_DEVICE_MAX) return 'ENOBUFS';
    if (part.addresses.some((a) => a.address === address && a.prefix === prefix)) return 'EEXIST';
    const secondary = part.addresses.some(
      (a) => !a.secondary && a.prefix === prefix && networkOf(a.address, prefix) === networkOf(address, prefix),
    );
    const scope = options.scope ?? (isLoopbackIpv4(address) ? 'host' : 'global');
    const added: InetAddress = { dev, address, prefix, broadcast, scope, secondary };
    part.addresses = [...part.addresses, added];
    this.settled.add(part);
    for (const watcher of this.watchers) watcher('add', added);
    return undefined;
  }

  /** ip addr del: secondaries of a primary go with it, or move up when promote_secondaries says so. (__inet_del_ifa) */
  deleteAddress(dev: NetDevice, address: Ipv4, prefix: number): Errno | undefined {
    const part = this.byIndex[dev.ifindex];
    const gone = part?.addresses.find((a) => a.address === address && a.prefix === prefix);
    if (part === undefined || gone === undefined) return 'EADDRNOTAVAIL';
    const subnet = (a: InetAddress) =>
      a.secondary && a.prefix === prefix && networkOf(a.address, prefix) === networkOf(address, prefix);
    const orphans = gone.secondary ? [] : part.addresses.filter(subnet);
    this.remove(part, gone);
    const promote = this.either(dev.ifindex, 'promote_secondaries');
    for (const orphan of orphans) this.remove(part, orphan);
    if (promote) {
      for (const orphan of orphans)
        this.addAddress(dev, orphan.address, { prefix, broadcast: orphan.broadcast, scope: orphan.scope });
    }
    return undefined;
  }

  private remove(part: InetDevice, gone: InetAddress): void {
    part.addresses = part.addresses.filter((a) => a !== gone);
    for (const watcher of this.watchers) watcher('delete', gone);
  }

  /** Whose address this is: the device that has it. (Linux: ip_dev_find) */
  findDevice(address: Ipv4): NetDevice | undefined {
    for (const part of this.byIndex) {
      if (part?.addresses.some((a) => a.address === address) === true) return part.dev;
    }
    return undefined;
  }

  /** The source to speak from on a device: one on the target's subnet, else the first that reaches. (inet_select_addr) */
  selectAddress(dev: NetDevice | undefined, target: Ipv4, scope: Scope): Ipv4 {
    let first = IPV4_ANY;
    const here = dev === undefined ? undefined : this.byIndex[dev.ifindex];
    for (const a of here?.addresses ?? []) {
      if (a.secondary || (here !== undefined && wider(this.scopeOf(here, a), scope))) continue;
      if (target === IPV4_ANY || networkOf(a.address, a.prefix) === networkOf(target, a.prefix)) return a.address;
      if (first === IPV4_ANY) first = a.address;
    }
    if (first !== IPV4_ANY) return first;
    // None here: any other device's will do, but no link-scope one.
    for (const part of this.byIndex) {
      for (const a of part?.addresses ?? []) {
        if (!a.secondary && a.scope !== 'link' && !wider(a.scope, scope)) return a.address;
      }
    }
    return IPV4_ANY;
  }

  /**
   * An address of the device (of any, when undefined) that `scope` reaches, is `local` (0 for any) and shares a subnet
   * with `target` (0 for any). (Linux: inet_confirm_addr)
   */
  confirmAddress(ifindex: number | undefined, target: Ipv4, local: Ipv4, scope: Scope): boolean {
    const parts = ifindex === undefined ? this.list() : [this.byIndex[ifindex]];
    return parts.some((part) =>
      part?.addresses.some((own) => {
        if (wider(this.scopeOf(part, own), scope)) return false;
        if (local !== IPV4_ANY && local !== own.address) return false;
        return target === IPV4_ANY || networkOf(target, own.prefix) === networkOf(own.address, own.prefix);
      }),
    );
  }

  /** route_localnet lets 127/8 out: its addresses count as the link's. */
  private scopeOf(part: InetDevice, own: InetAddress): Scope {
    return own.scope === 'host' && this.either(part.dev.ifindex, 'route_localnet') ? 'link' : own.scope;
  }

  /** Whether an address is on one of the device's subnets. (Linux: inet_addr_onlink) */
  onLink(ifindex: number, a: Ipv4, b: Ipv4): boolean {
    for (const own of this.byIndex[ifindex]?.addresses ?? []) {
      const network = networkOf(own.address, own.prefix);
      if (networkOf(a, own.prefix) === network && (b === IPV4_ANY || networkOf(b, own.prefix) === network)) return true;
    }
    return false;
  }

  /** IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP; no IGMP is sent. */
  joinGroup(ifindex: number, group: Ipv4): Errno | undefined {
    const groups = this.byIndex[ifindex]?.groups;
    if (groups === undefined) return 'ENODEV';
    if (!isMulticastIpv4(group)) return 'EINVAL';
    if (groups.size >= GROUPS_PER_DEVICE_MAX) return 'ENOBUFS';
    groups.set(group, (groups.get(group) ?? 0) + 1);
    return undefined;
  }

  leaveGroup(ifindex: number, group: Ipv4): Errno | undefined {
    const groups = this.byIndex[ifindex]?.groups;
    const times = groups?.get(group);
    if (groups === undefined || times === undefined) return 'EADDRNOTAVAIL';
    if (times > 1) groups.set(group, times - 1);
    else groups.delete(group);
    return undefined;
  }

  isMember(ifindex: number, group: Ipv4): boolean {
    return this.byIndex[ifindex]?.groups.has(group) ?? false;
  }

  private onDevice(event: DeviceEvent, dev: NetDevice): void {
    if (event === 'register') {
      this.byIndex[dev.ifindex] = new InetDevice(dev, this.makeConf(dev.name, this.fallback));
    } else if (event === 'unregister') {
      for (const a of this.byIndex[dev.ifindex]?.addresses ?? []) this.deleteAddress(dev, a.address, a.prefix);
      this.byIndex[dev.ifindex] = undefined;
      this.host.sysctl.unregister(`net.ipv4.conf.${dev.name}.`);
    }
  }

  private makeConf(name: string, from: Conf | undefined): Conf {
    const conf: Partial<Record<ConfName, SysctlNumber>> = {};
    for (const [word, initial] of Object.entries(CONF_DEFAULTS) as [ConfName, number][]) {
      const entry = new SysctlNumber(from?.[word].value ?? initial, {
        changed: () => {
          if (from !== undefined) this.explicit.add(entry);
          this.confChanged(name, word);
        },
      });
      this.host.sysctl.register(`net.ipv4.conf.${name}.${word}`, entry);
      conf[word] = entry;
    }
    return conf as Conf;
  }

  /** `all` sets everyone's forwarding, a router sends no redirects' worth of caches on. (inet_forward_change) */
  private confChanged(name: string, word: ConfName): void {
    if (word === 'forwarding' && name === 'all') {
      const { value } = this.all.forwarding;
      this.fallback.forwarding.value = value;
      // A host that turns router no longer believes redirects, unless told to.
      this.all.accept_redirects.value = value === 0 ? 1 : 0;
      for (const part of this.byIndex) if (part !== undefined) part.conf.forwarding.value = value;
    }
    if (name === 'default' && word !== 'forwarding') {
      // What nobody set on a device follows `default` (devinet_copy_dflt_conf).
      for (const part of this.byIndex) {
        if (part === undefined || this.settled.has(part) || this.explicit.has(part.conf[word])) continue;
        part.conf[word].value = this.fallback[word].value;
      }
    }
    this.host.routes.bump();
  }
}

/** Whether an address of scope `own` reaches less far than `asked`. */
function wider(own: Scope, asked: Scope): boolean {
  const reach = { global: 2, link: 1, host: 0 };
  return reach[own] < reach[asked];
}
