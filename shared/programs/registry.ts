/**
 * Every program that runs on a host, by the name it is called by. One line a program; each owner adds his own. The box
 * hands this map to `host.processes.programs`.
 */
import type { Program } from '../net/syscalls.ts';
import { arp } from './arp.ts';
import { bridge } from './bridge.ts';
import { browser } from './browser.ts';
import { cat } from './cat.ts';
import { conntrack } from './conntrack.ts';
import { curl } from './curl.ts';
import { dig } from './dig.ts';
import { dmesg } from './dmesg.ts';
import { dropwatch } from './dropwatch.ts';
import { echo } from './echo.ts';
import { ethtool } from './ethtool.ts';
import { getent } from './getent.ts';
import { host } from './host.ts';
import { httpd } from './httpd.ts';
import { hostname, no, uname, yes } from './identity.ts';
import { ip } from './ip.ts';
import { iptables, iptablesSave } from './iptables.ts';
import { iptablesRestore } from './iptables-restore.ts';
import { named } from './named.ts';
import { nc } from './nc.ts';
import { netstat } from './netstat.ts';
import { nslookup } from './nslookup.ts';
import { nstat } from './nstat.ts';
import { ping } from './ping.ts';
import { kill, ps } from './ps.ts';
import { resolvectl } from './resolvectl.ts';
import { resolved } from './resolved.ts';
import { rndc } from './rndc.ts';
import { route } from './route.ts';
import { sleep } from './sleep.ts';
import { ss } from './ss.ts';
import { sysctl } from './sysctl.ts';
import { tc } from './tc.ts';
import { tcpdump } from './tcpdump.ts';
import { traceroute } from './traceroute.ts';

export const programs: ReadonlyMap<string, Program> = new Map<string, Program>([
  ['arp', arp],
  ['bridge', bridge],
  ['browser', browser],
  ['cat', cat],
  ['conntrack', conntrack],
  ['dig', dig],
  ['curl', curl],
  ['dmesg', dmesg],
  ['dropwatch', dropwatch],
  ['echo', echo],
  ['ethtool', ethtool],
  ['false', no],
  ['getent', getent],
  ['host', host],
  ['hostname', hostname],
  ['httpd', httpd],
  ['ip', ip],
  ['iptables', iptables],
  ['iptables-restore', iptablesRestore],
  ['iptables-save', iptablesSave],
  ['kill', kill],
  ['named', named],
  ['nc', nc],
  ['netstat', netstat],
  ['nstat', nstat],
  ['nslookup', nslookup],
  ['ping', ping],
  ['ps', ps],
  ['resolvectl', resolvectl],
  ['resolved', resolved],
  ['rndc', rndc],
  ['route', route],
  ['sleep', sleep],
  ['ss', ss],
  ['sysctl', sysctl],
  ['tc', tc],
  ['tcpdump', tcpdump],
  ['traceroute', traceroute],
  ['true', yes],
  ['uname', uname],
]);
