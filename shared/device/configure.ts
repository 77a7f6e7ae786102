/**
 * What a machine's start scripts do: addresses, routes, sysctls, address translation, and the files of /etc, as the
 * plan says. The plan was checked, so a refusal of the kernel is a bug of ours and stops the device with its name.
 */
import { broadcastOf, formatIpv4, IPV4_LOOPBACK, type Ipv4, parseCidr, parseIpv4 } from '../header/address.ts';
import type { DevicePlan, RoutePlan } from '../lab/plan-types.ts';
import type { Errno } from '../net/errno.ts';
import type { Host } from '../net/host.ts';
import { isUnanswered } from '../net/netlink-table.ts';
import { assert } from '../platform.ts';
import type { AddressRow } from './device.ts';

const LOOPBACK_PREFIX = 8;
/** A /31 is two hosts and nothing else (RFC 3021). */
const BROADCAST_PREFIX_MAX = 30;

/** Bring `lo` and the ports up with their addresses, then the rest. `deviceOf`: the net device that carries a port's. */
export function configureIp(host: Host, plan: DevicePlan, deviceOf: (port: string) => string = (port) => port): void {
  for (const [name, value] of Object.entries(plan.sysctl))
    must(host.sysctl.set(name, value), `sysctl ${name}=${value}`);
  loopbackUp(host);
  for (const port of plan.ports) {
    for (const text of port.addresses) {
      const cidr = parseCidr(text);
      assert(cidr !== undefined, 'the plan holds addresses');
      addAddress(host, deviceOf(port.name), cidr.address, cidr.prefix);
    }
    setUp(host, port.name);
  }
  for (const route of plan.routes) addRoute(host, route, deviceOf);
  if (plan.nat !== null) masquerade(host, plan.nat.outside);
  writeEtc(host, plan);
}

/** `lo` with its address: what even a switch's machine has. */
export function loopbackUp(host: Host): void {
  addAddress(host, 'lo', IPV4_LOOPBACK, LOOPBACK_PREFIX);
  setUp(host, 'lo');
}

export function setUp(host: Host, name: string): void {
  const dev = host.devices.byName(name);
  assert(dev !== undefined, `${name} was made`);
  host.devices.setUp(dev, true);
}

/** Every address but loopback's, by the name of its device. */
export function addressRows(host: Host): AddressRow[] {
  return host.inet
    .list()
    .flatMap(({ dev, addresses }) => addresses.map(({ address, prefix }) => ({ dev: dev.name, address, prefix })));
}

function addAddress(host: Host, name: string, address: Ipv4, prefix: number): void {
  const dev = host.devices.byName(name);
  assert(dev !== undefined, `${name} was made`);
  // As ifupdown gives it to `ip addr add`, where the link broadcasts and the subnet has an address for that.
  const broadcasts = dev.kind !== 'loopback' && prefix <= BROADCAST_PREFIX_MAX;
  const broadcast = broadcasts ? broadcastOf(address, prefix) : undefined;
  must(
    host.inet.addAddress(dev, address, { prefix, broadcast }),
    `address ${formatIpv4(address)}/${prefix} on ${name}`,
  );
}

function addRoute(host: Host, route: RoutePlan, deviceOf: (port: string) => string): void {
  const to =
    route.to === 'default' ? parseCidr('0.0.0.0/0') : parseCidr(route.to.includes('/') ? route.to : `${route.to}/32`);
  const gateway = route.via === null ? undefined : parseIpv4(route.via);
  const dev = route.dev === null ? undefined : host.devices.byName(deviceOf(route.dev));
  assert(to !== undefined, 'the plan holds prefixes');
  const spec = { target: to.address, prefix: to.prefix, gateway, dev, metric: route.metric, protocol: 'boot' } as const;
  must(host.routes.add(spec), `route to ${route.to}`);
}

/** iptables -t nat -A POSTROUTING -o OUTSIDE -j MASQUERADE */
function masquerade(host: Host, outside: string): void {
  const argv = ['-A', 'POSTROUTING', '-o', outside, '-j', 'MASQUERADE'];
  const asked = host.netlink.ask({ type: 'NFT_COMMAND', table: 'nat', argv });
  // A kernel without netfilter's tables routes, and translates nothing.
  if (isUnanswered(asked)) return;
  assert(asked.answer.error === undefined, `masquerading on ${outside}: ${asked.answer.error}`);
}

function writeEtc(host: Host, plan: DevicePlan): void {
  const { filesystem } = host;
  filesystem.writeText('/etc/hostname', `${plan.name}\n`);
  const own = [`127.0.0.1\tlocalhost`, `127.0.1.1\t${plan.name}`];
  const others = plan.hosts.map(({ address, names }) => `${address}\t${names.join(' ')}`);
  filesystem.writeText('/etc/hosts', `${[...own, ...others].join('\n')}\n`);
  const search = plan.search.length > 0 ? [`search ${plan.search.join(' ')}`] : [];
  const servers = plan.dns.map((server) => `nameserver ${server}`);
  filesystem.writeText('/etc/resolv.conf', [...search, ...servers].map((line) => `${line}\n`).join(''));
}

function must(result: Errno | undefined, what: string): void {
  if (result !== undefined) throw new Error(`${what}: ${result}`);
}
