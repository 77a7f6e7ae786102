/** Any words after `iptables`: a complaint or a rule that can be listed and written again, never an exception. */
import { expect, test } from 'vitest';
import { iptablesCommand, listTable } from '../../shared/net/iptables.ts';
import { makeHost, newClock } from '../kit/cable.ts';
import { TEST_SEED, testRandom } from '../kit/random.ts';

const WORDS =
  '-A -I -D -R -N -X -F -P -Z -C -t INPUT FORWARD OUTPUT PREROUTING POSTROUTING web filter nat mangle raw ! -s -d -i -o -p -m -j -g -f 10.0.0.0/8 10.0.0.1,10.0.0.2 0.0.0.0/0 300.1.1.1 eth0 eth+ tcp udp icmp all 47 --dport --sport 80 80:90 http 99999 --syn --tcp-flags SYN,ACK SYN ALL NONE multiport --dports 1,2,3:9 conntrack --ctstate NEW,ESTABLISHED state --state RELATED limit --limit 5/min --limit-burst 3 comment --comment hi mark --mark 1/3 --icmp-type echo-request 3/1 ACCEPT DROP REJECT --reject-with tcp-reset icmp-host-unreachable LOG --log-prefix MASQUERADE --to-ports 1000-2000 SNAT --to-source 192.0.2.1:5-9 DNAT --to-destination REDIRECT RETURN MARK --set-mark TTL --ttl-set 1 2 -w'.split(
    ' ',
  );

test(`the parser survives any words (seed ${TEST_SEED})`, () => {
  const random = testRandom('iptables');
  const clock = newClock();
  let host = makeHost('host', clock);
  let taken = 0;
  for (let round = 0; round < 20_000; round++) {
    if (round % 200 === 0) host = makeHost(`host${round}`, clock);
    const argv = Array.from({ length: random.below(12) }, () => WORDS[random.below(WORDS.length)]!);
    const start = random.below(2) === 0 ? ['-A', ['INPUT', 'FORWARD', 'POSTROUTING'][random.below(3)]!] : [];
    const table = ['filter', 'nat', 'mangle'][random.below(3)]!;
    const answer = iptablesCommand(host, table, [...start, ...argv]);
    if (answer.error !== undefined) {
      expect(answer.error).toMatch(/^iptables/);
      // 4: the kernel refuses the rule (RULE_APPEND failed).
      expect([1, 2, 3, 4]).toContain(answer.status);
      continue;
    }
    taken++;
    for (const chain of listTable(host.tables.get(table)!)) {
      for (const rule of chain.rules) {
        // What iptables-save writes is taken again and means the same.
        const words = rule.specification.match(/"[^"]*"|\S+/g)?.map((word) => word.replaceAll('"', '')) ?? [];
        expect(iptablesCommand(host, table, ['-C', chain.name, ...words])).toEqual({});
      }
    }
  }
  expect(taken).toBeGreaterThan(100);
});
