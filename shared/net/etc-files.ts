/**
 * The files of /etc that are the same on every host: names of ports and protocols, and what a name server's absence
 * leaves (localhost). Whoever builds a device writes hosts, hostname and resolv.conf from its plan over these.
 */
import type { Filesystem } from './filesystem.ts';

/** Those that a lab's listings meet; IANA's names, as in Debian's netbase. */
const SERVICES: readonly (readonly [name: string, port: number, protocols: string, aliases?: string])[] = [
  ['echo', 7, 'tcp udp'],
  ['discard', 9, 'tcp udp', 'sink null'],
  ['daytime', 13, 'tcp udp'],
  ['chargen', 19, 'tcp udp', 'ttytst source'],
  ['ftp-data', 20, 'tcp'],
  ['ftp', 21, 'tcp'],
  ['ssh', 22, 'tcp'],
  ['telnet', 23, 'tcp'],
  ['smtp', 25, 'tcp', 'mail'],
  ['time', 37, 'tcp udp', 'timserver'],
  ['domain', 53, 'tcp udp'],
  ['bootps', 67, 'udp'],
  ['bootpc', 68, 'udp'],
  ['tftp', 69, 'udp'],
  ['http', 80, 'tcp', 'www'],
  ['kerberos', 88, 'tcp udp', 'kerberos5 krb5 kerberos-sec'],
  ['pop3', 110, 'tcp', 'pop-3'],
  ['ntp', 123, 'udp'],
  ['imap2', 143, 'tcp', 'imap'],
  ['snmp', 161, 'tcp udp'],
  ['bgp', 179, 'tcp'],
  ['ldap', 389, 'tcp udp'],
  ['https', 443, 'tcp udp'],
  ['submissions', 465, 'tcp', 'ssmtp smtps urd'],
  ['syslog', 514, 'udp'],
  ['submission', 587, 'tcp'],
  ['domain-s', 853, 'tcp udp'],
  ['rsync', 873, 'tcp'],
  ['imaps', 993, 'tcp'],
  ['pop3s', 995, 'tcp'],
  ['socks', 1080, 'tcp'],
  ['mysql', 3306, 'tcp'],
  ['postgresql', 5432, 'tcp', 'postgres'],
  ['http-alt', 8080, 'tcp udp', 'webcache'],
];

const PROTOCOLS =
  'ip 0 IP\nicmp 1 ICMP\nigmp 2 IGMP\ntcp 6 TCP\nudp 17 UDP\nipv6 41 IPv6\ngre 47 GRE\nospf 89 OSPFIGP\n';

export function etcInit(filesystem: Filesystem): void {
  const services = SERVICES.flatMap(([name, port, protocols, aliases = '']) =>
    protocols.split(' ').map((protocol) => `${name}\t\t${port}/${protocol}${aliases === '' ? '' : `\t\t${aliases}`}\n`),
  );
  filesystem.writeText('/etc/services', services.join(''));
  filesystem.writeText('/etc/protocols', PROTOCOLS);
  filesystem.writeText('/etc/hosts', '127.0.0.1\tlocalhost\n');
  filesystem.writeText('/etc/nsswitch.conf', 'hosts: resolve [!UNAVAIL=return] files dns\n');
}
