/**
 * Everything that can be wrong with a lab file, one case a line: the good lab with an edit, or a whole file, and every
 * line that the checker says about it (without the file's name).
 */

export const GOOD_LAB = `name: x
devices:
  alice: { kind: host, eth0: 10.0.0.1/24 }
  bob: { kind: host, eth0: 10.0.0.2/24, gateway: 10.0.0.9, run: [ httpd site/ ] }
  r: { kind: router, eth0: 10.0.0.9/24, eth1: 203.0.113.9/28, nat: eth1 }
  ns: { kind: dns, eth0: 203.0.113.1/28, role: local, hints: named.root }
  sw: { kind: switch }
wires:
  - alice:eth0 -- sw:p1
  - bob:eth0 -- sw:p2: { delay: 5ms, loss: 1% }
  - r:eth0 -- sw:p3
  - ns:eth0 -- r:eth1
`;

export interface BadEdit {
  readonly of: string;
  /** Texts of the good lab, and what stands there instead. */
  readonly edits: readonly (readonly [string, string])[];
  readonly says: readonly string[];
}

export const BAD_EDITS: readonly BadEdit[] = [
  {
    of: 'a syntax error: a bracket that is not closed',
    edits: [['eth0: 10.0.0.1/24 }', 'eth0: 10.0.0.1/24']],
    says: [
      '4:3: not YAML: a bracket above is not closed before this line, or the line stands too far left; expected "}" before it',
    ],
  },
  {
    of: 'a syntax error: a quote that is not closed',
    edits: [['name: x', 'name: "x']],
    says: ['1:7: not YAML: a " quote is opened and never closed; expected " at the end of the text'],
  },
  {
    of: 'a syntax error: a second colon',
    edits: [['name: x', 'name: x: y']],
    says: ['1:7: not YAML: a second ": " on one line; expected one "key: value" a line, or the value in quotes'],
  },
  {
    of: 'a tab as indentation',
    edits: [['  alice:', '\talice:']],
    says: [
      '3:1: not YAML: a tab is used as indentation; expected spaces: YAML allows no tabs there',
      '4:1: not YAML: the indentation does not fit; expected the entries of one list or mapping to start in the same column',
    ],
  },
  {
    of: 'indentation that does not fit',
    edits: [['  bob:', '   bob:']],
    says: [
      '4:1: not YAML: the indentation does not fit; expected the entries of one list or mapping to start in the same column',
    ],
  },
  {
    of: 'two documents',
    edits: [['wires:', '---\nwires:']],
    says: ['8:1: not YAML: a second document starts here; expected one lab a file, without "---" in between'],
  },
  {
    of: 'an alias to nothing',
    edits: [['10.0.0.1/24', '*here']],
    says: ['3:30: the alias *here names no anchor; expected an anchor &here above it'],
  },
  { of: 'no name', edits: [['name: x\n', '']], says: ['1:1: the lab has no name; expected name: NAME at the top'] },
  {
    of: 'an impossible lab name',
    edits: [['name: x', 'name: my lab']],
    says: [
      '1:7: impossible value "my lab" for the name of the lab; expected a name of letters, digits, - and _, at most 63, the first a letter or a digit',
    ],
  },
  {
    of: 'an unknown key at the top',
    edits: [['wires:', 'wire:']],
    says: [
      '8:1: unknown key "wire" in the lab; expected one of name, description, seed, devices, wires; did you mean "wires"?',
    ],
  },
  {
    of: 'a misspelt devices key',
    edits: [['devices:', 'divices:']],
    says: [
      '2:1: unknown key "divices" in the lab; expected one of name, description, seed, devices, wires; did you mean "devices"?',
    ],
  },
  {
    of: 'an impossible seed',
    edits: [['name: x', 'name: x\nseed: -1']],
    says: ['2:7: impossible value "-1" for seed; expected a whole number from 0 to 4294967295'],
  },
  {
    of: 'a key twice at the top',
    edits: [['name: x', 'name: x\nname: y']],
    says: ['2:1: "name" stands twice in the lab; expected each key once'],
  },
  {
    of: 'an unknown key',
    edits: [['eth0: 10.0.0.1/24 }', 'eth0: 10.0.0.1/24, gatway: 10.0.0.9 }']],
    says: [
      '3:43: unknown key "gatway" in device alice (host); expected one of kind, gateway, routes, dns, search, hosts, run, sysctl, cpu, ethN; did you mean "gateway"?',
    ],
  },
  {
    of: 'an unknown key of a switch',
    edits: [['kind: switch', 'kind: switch, port: 4']],
    says: ['7:23: unknown key "port" in device sw (switch); expected one of kind, ports, cpu; did you mean "ports"?'],
  },
  {
    of: 'a key of another kind',
    edits: [['eth0: 10.0.0.1/24 }', 'eth0: 10.0.0.1/24, nat: eth0 }']],
    says: [
      '3:43: key "nat" belongs to router, not to device alice (host); expected one of kind, gateway, routes, dns, search, hosts, run, sysctl, cpu, ethN',
    ],
  },
  {
    of: 'a port with an address on a switch',
    edits: [['kind: switch', 'kind: switch, eth0: 10.0.0.7/24']],
    says: [
      '7:23: key "eth0" belongs to host, router, dns, not to device sw (switch); expected one of kind, ports, cpu; a switch has ports p1 to p8, or as many as ports: says',
    ],
  },
  {
    of: 'a key twice in a device',
    edits: [['eth0: 10.0.0.1/24 }', 'eth0: 10.0.0.1/24, eth0: 10.0.0.3/24 }']],
    says: ['3:43: "eth0" stands twice in device alice (host); expected each key once'],
  },
  {
    of: 'an unknown kind',
    edits: [['kind: host, eth0: 10.0.0.1/24', 'kind: hots, eth0: 10.0.0.1/24']],
    says: [
      '3:18: unknown kind "hots" of device alice; expected one of host, switch, router, dns; did you mean "host"?',
    ],
  },
  {
    of: 'no kind',
    edits: [['kind: host, eth0: 10.0.0.1/24', 'eth0: 10.0.0.1/24']],
    says: ['3:3: device alice has no kind; expected kind: host | switch | router | dns'],
  },
  {
    of: 'kind misspelt',
    edits: [['kind: host, eth0: 10.0.0.1/24', 'knid: host, eth0: 10.0.0.1/24']],
    says: [
      '3:12: unknown key "knid" in device alice (host); expected one of kind, gateway, routes, dns, search, hosts, run, sysctl, cpu, ethN; did you mean "kind"?',
    ],
  },
  {
    of: 'a device that is a word',
    edits: [['  alice: { kind: host, eth0: 10.0.0.1/24 }', '  alice: host']],
    says: ['3:10: device alice is "host"; expected a mapping with kind: host | switch | router | dns and its ports'],
  },
  {
    of: 'a device with nothing in it',
    edits: [['  alice: { kind: host, eth0: 10.0.0.1/24 }', '  alice:']],
    says: ['3:3: device alice is empty; expected a mapping with kind: host | switch | router | dns and its ports'],
  },
  {
    of: 'two devices of one name',
    edits: [['  bob:', '  alice: { kind: host }\n  bob:']],
    says: ['4:3: a second device is named alice; expected another name: there is alice already'],
  },
  {
    of: 'an impossible device name',
    edits: [['  alice:', '  al.ice:']],
    says: [
      '3:3: impossible device name "al.ice"; expected a name of letters, digits, - and _, at most 63, the first a letter or a digit',
      '9:5: no device "alice"; expected one of al.ice, bob, r, ns, sw; did you mean "al.ice"?',
    ],
  },
  {
    of: 'a reserved device name',
    edits: [['  sw:', '  all: { kind: host }\n  sw:']],
    says: ['7:3: "all" cannot name a device; expected another name'],
  },
  {
    of: 'a misspelt port in a device',
    edits: [['eth0: 10.0.0.1/24 }', 'eht0: 10.0.0.1/24 }']],
    says: [
      '3:24: unknown key "eht0" in device alice (host); expected one of kind, gateway, routes, dns, search, hosts, run, sysctl, cpu, ethN; did you mean "eth0"?',
    ],
  },
  {
    of: 'a misspelt port in a wire',
    edits: [['alice:eth0 --', 'alice:eht0 --']],
    says: ['9:11: alice (host) has no port "eht0"; expected eth0; did you mean "eth0"?'],
  },
  {
    of: 'a port that a switch does not have',
    edits: [['sw:p1', 'sw:p9']],
    says: [
      '9:22: sw (switch) has no port "p9"; expected one of p1, p2, p3, p4, p5, p6, p7, p8; ports: N gives a switch N ports',
    ],
  },
  {
    of: 'a wire to a device without ports',
    edits: [['  alice: { kind: host, eth0: 10.0.0.1/24 }', '  alice: { kind: host }']],
    says: ['9:11: alice (host) has no port "eth0"; expected a port in the device, such as eth0: 10.0.0.1/24'],
  },
  {
    of: 'a wire to a device that does not exist',
    edits: [['- alice:eth0', '- alcie:eth0']],
    says: ['9:5: no device "alcie"; expected one of alice, bob, r, ns, sw; did you mean "alice"?'],
  },
  {
    of: 'a port wired twice',
    edits: [['sw:p2', 'sw:p1']],
    says: [
      '10:17: sw:p1 has two wires; the other is alice:eth0--sw:p1; expected a free port of sw: one of p2, p3, p4, p5, p6, p7, p8',
    ],
  },
  {
    of: 'a port wired to itself',
    edits: [['alice:eth0 -- sw:p1', 'alice:eth0 -- alice:eth0']],
    says: ['9:5: alice:eth0 is wired to itself; expected two ends'],
  },
  {
    of: 'a wire with an arrow',
    edits: [['alice:eth0 -- sw:p1', 'alice:eth0 -> sw:p1']],
    says: [
      '9:5: cannot read "alice:eth0 -> sw:p1" as a wire; expected DEVICE:PORT -- DEVICE:PORT, such as alice:eth0 -- sw:p1; did you mean "alice:eth0 -- sw:p1"?',
    ],
  },
  {
    of: 'a wire without blanks',
    edits: [['alice:eth0 -- sw:p1', 'alice:eth0--sw:p1']],
    says: [
      '9:5: cannot read "alice:eth0--sw:p1" as a wire; expected DEVICE:PORT -- DEVICE:PORT, such as alice:eth0 -- sw:p1; put blanks around the "--"',
    ],
  },
  {
    of: 'a wire with one end',
    edits: [['alice:eth0 -- sw:p1', 'alice:eth0']],
    says: ['9:5: cannot read "alice:eth0" as a wire; expected DEVICE:PORT -- DEVICE:PORT, such as alice:eth0 -- sw:p1'],
  },
  {
    of: 'a wire to a device without its port',
    edits: [['alice:eth0 -- sw:p1', 'alice -- sw:p1']],
    says: [
      '9:5: cannot read "alice -- sw:p1" as a wire; expected DEVICE:PORT -- DEVICE:PORT, such as alice:eth0 -- sw:p1; an end is a device and its port, joined by ":"',
    ],
  },
  {
    of: 'values without a colon',
    edits: [['sw:p2: {', 'sw:p2 {']],
    says: ['10:32: not YAML: a second ": " on one line; expected one "key: value" a line, or the value in quotes'],
  },
  {
    of: 'values beside the wire',
    edits: [['sw:p2: { delay: 5ms, loss: 1% }', 'sw:p2:\n    delay: 5ms']],
    says: [
      '11:5: "delay" stands beside a wire; expected one wire an entry, its values as { … } or indented below it; put "delay" further in, below the wire',
    ],
  },
  {
    of: 'wires as a mapping',
    edits: [
      [
        '  - alice:eth0 -- sw:p1\n  - bob:eth0 -- sw:p2: { delay: 5ms, loss: 1% }\n  - r:eth0 -- sw:p3\n  - ns:eth0 -- r:eth1\n',
        '  alice:eth0: sw:p1\n',
      ],
    ],
    says: ['9:3: wires is a mapping; expected a list, each entry - DEVICE:PORT -- DEVICE:PORT'],
  },
  {
    of: 'an unknown knob',
    edits: [['delay: 5ms', 'dealy: 5ms']],
    says: [
      '10:26: unknown key "dealy" in wire bob:eth0--sw:p2; expected one of delay, jitter, distribution, order, loss, duplicate, reorder, gap, corrupt, rate, limit, mtu, match, ->, <-; did you mean "delay"?',
    ],
  },
  {
    of: 'an impossible loss',
    edits: [['loss: 1%', 'loss: 140%']],
    says: [
      '10:44: impossible value "140%" for loss of wire bob:eth0--sw:p2; expected a percentage, or gemodel P [R [1-H [1-K]]] as in tc-netem(8), such as gemodel 1% 20%',
    ],
  },
  {
    of: 'a loss without its unit',
    edits: [['loss: 1%', 'loss: 1']],
    says: [
      '10:44: impossible value "1" for loss of wire bob:eth0--sw:p2; expected a percentage, or gemodel P [R [1-H [1-K]]] as in tc-netem(8), such as gemodel 1% 20%; add the unit: did you mean "1%"?',
    ],
  },
  {
    of: 'an impossible delay',
    edits: [['delay: 5ms', 'delay: soon']],
    says: [
      '10:33: impossible value "soon" for delay of wire bob:eth0--sw:p2; expected a time such as 200us, 5ms or 1.5s, at most 3600s',
    ],
  },
  {
    of: 'a delay without its unit',
    edits: [['delay: 5ms', 'delay: 5']],
    says: [
      '10:33: impossible value "5" for delay of wire bob:eth0--sw:p2; expected a time such as 200us, 5ms or 1.5s, at most 3600s; add the unit: did you mean "5ms"?',
    ],
  },
  {
    of: 'a negative delay',
    edits: [['delay: 5ms', 'delay: -5ms']],
    says: [
      '10:33: impossible value "-5ms" for delay of wire bob:eth0--sw:p2; expected a time such as 200us, 5ms or 1.5s, at most 3600s',
    ],
  },
  {
    of: 'an impossible rate',
    edits: [['loss: 1%', 'rate: fast']],
    says: [
      '10:44: impossible value "fast" for rate of wire bob:eth0--sw:p2; expected a rate such as 56kbit, 10mbit or 1gbit',
    ],
  },
  {
    of: 'a rate in other units',
    edits: [['loss: 1%', 'rate: 10Mb']],
    says: [
      '10:44: impossible value "10Mb" for rate of wire bob:eth0--sw:p2; expected a rate such as 56kbit, 10mbit or 1gbit; tc\'s units are bit, kbit, mbit, gbit, and kbps for 1000 octets',
    ],
  },
  {
    of: 'an impossible wire mtu',
    edits: [['loss: 1%', 'mtu: 10']],
    says: ['10:43: impossible value "10" for mtu of wire bob:eth0--sw:p2; expected a whole number from 68 to 65535'],
  },
  {
    of: 'an impossible distribution',
    edits: [['loss: 1%', 'jitter: 1ms, distribution: norml']],
    says: [
      '10:65: unknown distribution "norml" of wire bob:eth0--sw:p2; expected one of uniform, normal, pareto, paretonormal; did you mean "normal"?',
    ],
  },
  {
    of: 'a burst model without numbers',
    edits: [['loss: 1%', 'loss: gemodel']],
    says: [
      '10:44: impossible value "gemodel" for loss of wire bob:eth0--sw:p2; expected a percentage, or gemodel P [R [1-H [1-K]]] as in tc-netem(8), such as gemodel 1% 20%',
    ],
  },
  {
    of: 'corruption that nobody could find',
    edits: [['loss: 1%', 'corrupt: 1% udp']],
    says: [
      '10:47: impossible value "1% udp" for corrupt of wire bob:eth0--sw:p2; expected a percentage, and ip or tcp when the FCS is not to find it, such as 0.1% tcp',
    ],
  },
  {
    of: 'a match rule with a misspelt field',
    edits: [['loss: 1%', 'match: { frames: tcp.syn == 1, loss: 100% }']],
    says: [
      `10:55: cannot read the filter "tcp.syn == 1" of frames in match of wire bob:eth0--sw:p2: column 1: no protocol or field is called "tcp.syn"; did you mean tcp.flags.syn?; expected a display filter in Wireshark's words, such as tcp.flags.syn == 1`,
    ],
  },
  {
    of: 'a match rule that does nothing',
    edits: [['loss: 1%', 'match: [ { frames: arp, nth: 2 } ]']],
    says: [
      '10:47: a rule in match of wire bob:eth0--sw:p2 does nothing; expected one of loss, duplicate, corrupt, delay',
    ],
  },
  {
    of: 'a match rule with an unknown key',
    edits: [['loss: 1%', 'match: [ { frames: arp, nht: 2, loss: 1% } ]']],
    says: [
      '10:62: unknown key "nht" in match of wire bob:eth0--sw:p2; expected one of frames, nth, every, count, loss, duplicate, corrupt, delay; did you mean "nth"?',
    ],
  },
  {
    of: 'jitter without delay',
    edits: [['delay: 5ms', 'jitter: 5ms']],
    says: ['10:26: jitter of wire bob:eth0--sw:p2 does nothing without delay; expected delay beside it'],
  },
  {
    of: 'reordering without delay',
    edits: [['delay: 5ms', 'reorder: 5%']],
    says: ['10:26: reorder of wire bob:eth0--sw:p2 does nothing without delay; expected delay beside it'],
  },
  {
    of: 'a knob twice',
    edits: [['loss: 1%', 'delay: 6ms']],
    says: ['10:38: "delay" stands twice in wire bob:eth0--sw:p2; expected each key once'],
  },
  {
    of: 'a direction in a direction',
    edits: [['loss: 1%', '"->": { "<-": { loss: 1% } }']],
    says: [
      '10:46: "<-" stands inside "->" of wire bob:eth0--sw:p2; expected "->" and "<-" side by side, each with values of its own',
    ],
  },
  {
    of: 'a direction that is a value',
    edits: [['loss: 1%', '"->": 1%']],
    says: ['10:44: "->" of wire bob:eth0--sw:p2 is "1%"; expected a mapping such as { delay: 5ms, loss: 1% }'],
  },
  {
    of: 'a direction misspelt',
    edits: [['loss: 1%', '"-->": { loss: 1% }']],
    says: [
      '10:38: unknown key "-->" in wire bob:eth0--sw:p2; expected one of delay, jitter, distribution, order, loss, duplicate, reorder, gap, corrupt, rate, limit, mtu, match, ->, <-',
    ],
  },
  {
    of: 'an unknown knob in a direction',
    edits: [['loss: 1%', '"->": { los: 1% }']],
    says: [
      '10:46: unknown key "los" in "->" of wire bob:eth0--sw:p2; expected one of delay, jitter, distribution, order, loss, duplicate, reorder, gap, corrupt, rate, limit, mtu, match; did you mean "loss"?',
    ],
  },
  {
    of: 'wire values that are a word',
    edits: [['{ delay: 5ms, loss: 1% }', 'slow']],
    says: ['10:24: what wire bob:eth0--sw:p2 does is "slow"; expected a mapping such as { delay: 5ms, loss: 1% }'],
  },
  {
    of: 'two devices with one IP address',
    edits: [['10.0.0.2/24', '10.0.0.1/24']],
    says: [
      '4:28: bob:eth0 has the address 10.0.0.1 of alice:eth0; expected an address of its own in 10.0.0.0/24; 10.0.0.2 is free',
    ],
  },
  {
    of: 'two devices with one public address far apart',
    edits: [['eth0: 10.0.0.1/24', 'eth0: [ 10.0.0.1/24, 203.0.113.1/28 ]']],
    says: [
      '6:26: ns:eth0 has the address 203.0.113.1 of alice:eth0; expected an address of its own in 203.0.113.0/28; 203.0.113.2 is free',
    ],
  },
  {
    of: 'two devices with one MAC address',
    edits: [
      ['eth0: 10.0.0.1/24 }', 'eth0: { address: 10.0.0.1/24, mac: "02:00:00:00:00:07" } }'],
      ['eth0: 10.0.0.2/24,', 'eth0: { address: 10.0.0.2/24, mac: "02:00:00:00:00:07" },'],
    ],
    says: [
      '4:57: bob:eth0 has the MAC address 02:00:00:00:00:07 of alice:eth0; expected another MAC address, or none: one is made from the names',
    ],
  },
  {
    of: 'a multicast MAC address',
    edits: [['eth0: 10.0.0.1/24', 'eth0: { address: 10.0.0.1/24, mac: "01:00:5e:00:00:07" }']],
    says: [
      '3:59: impossible value "01:00:5e:00:00:07" for mac of eth0 of alice (host); expected the MAC address of one card, such as 02:00:00:00:00:0a',
    ],
  },
  {
    of: 'an unknown key of a port',
    edits: [['eth0: 10.0.0.1/24', 'eth0: { adress: 10.0.0.1/24 }']],
    says: [
      '3:32: unknown key "adress" in eth0 of alice (host); expected one of address, mac, mtu; did you mean "address"?',
    ],
  },
  {
    of: 'an impossible port mtu',
    edits: [['eth0: 10.0.0.1/24', 'eth0: { address: 10.0.0.1/24, mtu: 20 }']],
    says: ['3:59: impossible value "20" for mtu of eth0 of alice (host); expected a whole number from 68 to 9000'],
  },
  {
    of: 'a network address on a port',
    edits: [['10.0.0.1/24', '10.0.0.0/24']],
    says: [
      "3:30: 10.0.0.0/24 for eth0 of alice (host) is its subnet's network address; expected a host's address from 10.0.0.1 to 10.0.0.254",
    ],
  },
  {
    of: 'a broadcast address on a port',
    edits: [['10.0.0.1/24', '10.0.0.255/24']],
    says: [
      "3:30: 10.0.0.255/24 for eth0 of alice (host) is its subnet's broadcast address; expected a host's address from 10.0.0.1 to 10.0.0.254",
    ],
  },
  {
    of: 'a loopback address on a port',
    edits: [['10.0.0.1/24', '127.0.0.1/8']],
    says: [
      "3:30: 127.0.0.1/8 for eth0 of alice (host) is a loopback address; expected a host's address, such as 10.0.0.1/24",
    ],
  },
  {
    of: 'an impossible prefix',
    edits: [['10.0.0.1/24', '10.0.0.1/33']],
    says: [
      '3:30: impossible value "10.0.0.1/33" for eth0 of alice (host); expected an address with its prefix length, such as 10.0.0.1/24; a prefix length is from 0 to 32',
    ],
  },
  {
    of: 'no prefix',
    edits: [['10.0.0.1/24', '10.0.0.1']],
    says: [
      '3:30: impossible value "10.0.0.1" for eth0 of alice (host); expected an address with its prefix length, such as 10.0.0.1/24; did you mean "10.0.0.1/24"?',
    ],
  },
  {
    of: 'a mask for a prefix',
    edits: [['10.0.0.1/24', '10.0.0.1/255.255.255.0']],
    says: [
      '3:30: impossible value "10.0.0.1/255.255.255.0" for eth0 of alice (host); expected an address with its prefix length, such as 10.0.0.1/24; did you mean "10.0.0.1/24"?',
    ],
  },
  {
    of: 'an impossible address',
    edits: [['10.0.0.1/24', '10.0.0.256/24']],
    says: [
      '3:30: impossible value "10.0.0.256/24" for eth0 of alice (host); expected an address with its prefix length, such as 10.0.0.1/24',
    ],
  },
  {
    of: 'ends of a LAN that share no subnet',
    edits: [['10.0.0.1/24', '10.0.1.1/24']],
    says: [
      '3:30: alice:eth0 (10.0.1.1/24) shares no subnet with its LAN (bob:eth0 10.0.0.2/24, r:eth0 10.0.0.9/24); expected an address in 10.0.0.0/24',
    ],
  },
  {
    of: 'ends of one wire that share no subnet',
    edits: [['203.0.113.9/28', '203.0.113.19/28']],
    says: [
      '6:26: ns:eth0 (203.0.113.1/28) shares no subnet with its LAN (r:eth1 203.0.113.19/28); expected an address in 203.0.113.16/28',
    ],
  },
  {
    of: 'a gateway on no subnet',
    edits: [['gateway: 10.0.0.9', 'gateway: 10.0.1.9']],
    says: [
      '4:50: gateway 10.0.1.9 is on no subnet of bob (host); expected an address in 10.0.0.0/24; did you mean "10.0.0.9"?',
    ],
  },
  {
    of: 'a gateway that nobody has',
    edits: [['gateway: 10.0.0.9', 'gateway: 10.0.0.8']],
    says: [
      '4:50: nobody on the LAN of bob:eth0 has the gateway 10.0.0.8; expected one of 10.0.0.1 (alice:eth0), 10.0.0.9 (r:eth0); did you mean "10.0.0.9"?',
    ],
  },
  {
    of: 'a gateway that is the device itself',
    edits: [['gateway: 10.0.0.9', 'gateway: 10.0.0.2']],
    says: ["4:50: gateway 10.0.0.2 of bob (host) is its own address; expected a neighbour's address"],
  },
  {
    of: 'a gateway with a prefix',
    edits: [['gateway: 10.0.0.9', 'gateway: 10.0.0.9/24']],
    says: [
      '4:50: impossible value "10.0.0.9/24" for gateway of bob (host); expected an IPv4 address such as 10.0.0.1; did you mean "10.0.0.9"?',
    ],
  },
  {
    of: 'a router with one subnet on two LANs',
    edits: [['203.0.113.9/28', '10.0.0.10/24']],
    says: [
      '5:47: r:eth1 (10.0.0.10/24) overlaps r:eth0 (10.0.0.9/24) on another LAN; expected another subnet for each LAN; lan: [ … ] bridges ports into one LAN',
      '6:26: ns:eth0 (203.0.113.1/28) shares no subnet with its LAN (r:eth1 10.0.0.10/24); expected an address in 10.0.0.0/24',
    ],
  },
  {
    of: 'a route with bits below its prefix',
    edits: [['nat: eth1', 'nat: eth1, routes: [ 198.51.100.7/24 via 203.0.113.1 ]']],
    says: [
      '5:84: 198.51.100.7/24 in routes of r (router) has bits set to the right of its prefix; expected a network address; did you mean "198.51.100.0/24"?',
    ],
  },
  {
    of: 'a route to nowhere',
    edits: [['nat: eth1', 'nat: eth1, routes: [ 198.51.100.0/24 ]']],
    says: [
      '5:84: the route "198.51.100.0/24" of routes of r (router) leads nowhere; expected a route as "203.0.113.0/24 via 10.0.0.1", or "default via …", then "dev PORT" or "metric N"',
    ],
  },
  {
    of: 'a route with an unknown word',
    edits: [['nat: eth1', 'nat: eth1, routes: [ 198.51.100.0/24 vai 203.0.113.1 ]']],
    says: ['5:100: unknown word "vai" in routes of r (router); expected one of via, dev, metric; did you mean "via"?'],
  },
  {
    of: 'a route by an unknown port',
    edits: [['nat: eth1', 'nat: eth1, routes: [ 198.51.100.0/24 dev eth2 ]']],
    says: ['5:104: r (router) has no port "eth2" for a route; expected one of eth0, eth1; did you mean "eth0"?'],
  },
  {
    of: 'a route by a next hop on no subnet',
    edits: [['nat: eth1', 'nat: eth1, routes: [ default via 203.0.114.1 ]']],
    says: [
      '5:96: next hop 203.0.114.1 is on no subnet of r (router); expected an address in one of 10.0.0.0/24, 203.0.113.0/28',
    ],
  },
  {
    of: 'two routes alike',
    edits: [['gateway: 10.0.0.9', 'gateway: 10.0.0.9, routes: [ default via 10.0.0.9 ]']],
    says: ['4:70: bob (host) has two routes to one network with one metric; expected another metric N'],
  },
  {
    of: 'routes that are not a list',
    edits: [['gateway: 10.0.0.9', 'routes: default via 10.0.0.9']],
    says: [
      '4:49: routes of bob (host) is "default via 10.0.0.9"; expected a list, each entry a route as "203.0.113.0/24 via 10.0.0.1", or "default via …", then "dev PORT" or "metric N"; write [ default via 10.0.0.9 ]',
    ],
  },
  {
    of: 'an unknown program',
    edits: [['httpd site/', 'htpd site/']],
    says: [
      '4:67: unknown program "htpd" in run of bob (host); expected one of browser, httpd, nc; did you mean "httpd"?',
    ],
  },
  {
    of: 'a quote not closed in run',
    edits: [['httpd site/', '"httpd \'site/"']],
    says: [
      '4:67: impossible value "httpd \'site/" for run of bob (host); expected a command line, a program and its arguments; a quote is not closed',
    ],
  },
  {
    of: 'an empty command',
    edits: [['httpd site/', '""']],
    says: ['4:67: impossible value "" for run of bob (host); expected a command line, a program and its arguments'],
  },
  {
    of: 'a site that is not there',
    edits: [['httpd site/', 'httpd siet/']],
    says: [
      '4:67: there is no folder "siet/" for httpd of bob (host); expected a folder in the lab\'s folder; did you mean "site/"?',
    ],
  },
  {
    of: 'a hints file that is not there',
    edits: [['hints: named.root', 'hints: named.rot']],
    says: [
      '6:62: there is no file "named.rot" for hints of ns (dns); expected a file in the lab\'s folder; did you mean "named.root"?',
    ],
  },
  {
    of: 'a file outside the folder',
    edits: [['hints: named.root', 'hints: ../named.root']],
    says: [
      '6:62: impossible value "../named.root" for hints of ns (dns); expected a file\'s path, relative to the lab\'s folder and inside it',
    ],
  },
  {
    of: 'a zone file that is not there',
    edits: [['role: local, hints: named.root', 'role: tld, zones: { com: com.zone }']],
    says: ['6:67: there is no file "com.zone" for a zone of ns (dns); expected a file in the lab\'s folder'],
  },
  {
    of: 'a server without a role',
    edits: [['role: local, ', '']],
    says: ['6:3: ns (dns) has no role; expected role: root, tld, authoritative or local'],
  },
  {
    of: 'a wrong role',
    edits: [['role: local', 'role: lokal']],
    says: [
      '6:48: unknown role "lokal" of ns (dns); expected one of root, tld, authoritative, local; did you mean "local"?',
    ],
  },
  {
    of: 'a role on a host',
    edits: [['eth0: 10.0.0.1/24 }', 'eth0: 10.0.0.1/24, role: local }']],
    says: [
      '3:43: key "role" belongs to dns, not to device alice (host); expected one of kind, gateway, routes, dns, search, hosts, run, sysctl, cpu, ethN',
    ],
  },
  {
    of: 'an authoritative server without zones',
    edits: [['role: local, hints: named.root', 'role: authoritative']],
    says: ['6:48: ns (dns) has no zones to answer for; expected zones: { ORIGIN: FILE }'],
  },
  {
    of: 'a local server without hints',
    edits: [[', hints: named.root', '']],
    says: ['6:3: ns (dns) is a local server without hints; expected hints: FILE, as named.root'],
  },
  {
    of: 'a root server without the root zone',
    edits: [['role: local, hints: named.root', 'role: root, zones: { com: named.root }']],
    says: ['6:63: ns (dns) is a root server without the root zone; expected zones: { ".": FILE }'],
  },
  {
    of: 'a nat port that is not there',
    edits: [['nat: eth1', 'nat: eth2']],
    says: ['5:68: r (router) has no port "eth2" for nat; expected one of eth0, eth1; did you mean "eth0"?'],
  },
  {
    of: 'a nat port that is in the lan',
    edits: [['nat: eth1', 'nat: eth1, lan: [ eth0, eth1 ]']],
    says: [
      "5:47: eth1 of r (router) has an address of its own; expected the LAN's address on its first port, eth0",
      '5:68: eth1 of r (router) is both inside (lan) and outside (nat); expected an outside port',
    ],
  },
  {
    of: 'a lan port that is not there',
    edits: [['nat: eth1', 'nat: eth1, lan: [ eth0, eth5 ]']],
    says: ['5:87: r (router) has no port "eth5" for lan; expected one of eth0, eth1; did you mean "eth0"?'],
  },
  {
    of: 'a lan port with an address of its own',
    edits: [['nat: eth1', 'nat: eth1, lan: [ eth0, eth2 ], eth2: 10.0.7.1/24']],
    says: [
      "5:101: eth2 of r (router) has an address of its own; expected the LAN's address on its first port, eth0",
      '5:101: r:eth2 (10.0.7.1/24) shares no subnet with its LAN (alice:eth0 10.0.0.1/24, bob:eth0 10.0.0.2/24, r:eth0 10.0.0.9/24); expected an address in 10.0.0.0/24',
    ],
  },
  {
    of: 'an unknown sysctl',
    edits: [['nat: eth1', 'nat: eth1, sysctl: { net.ipv4.ip_forwad: 1 }']],
    says: [
      '5:84: unknown sysctl "net.ipv4.ip_forwad" in r (router); expected a name that sysctl -a lists; did you mean "net.ipv4.ip_forward"?',
    ],
  },
  {
    of: 'too many name servers',
    edits: [['gateway: 10.0.0.9', 'gateway: 10.0.0.9, dns: [ 1.1.1.1, 2.2.2.2, 3.3.3.3, 4.4.4.4 ]']],
    says: ['4:94: dns of bob (host) has 4 entries; expected at most 3'],
  },
  {
    of: 'a name server that is a name',
    edits: [['gateway: 10.0.0.9', 'gateway: 10.0.0.9, dns: ns']],
    says: ['4:65: impossible value "ns" for dns of bob (host); expected an IPv4 address such as 10.0.0.1'],
  },
  {
    of: 'an impossible line of the hosts file',
    edits: [['gateway: 10.0.0.9', 'gateway: 10.0.0.9, hosts: { www: 10.0.0.1 }']],
    says: ['4:69: impossible value "www" for hosts of bob (host); expected an IPv4 address such as 10.0.0.1'],
  },
  {
    of: 'too many switch ports',
    edits: [['kind: switch', 'kind: switch, ports: 1000']],
    says: ['7:30: impossible value "1000" for ports of sw (switch); expected a whole number from 1 to 256'],
  },
  {
    of: 'an impossible cpu',
    edits: [['kind: switch', 'kind: switch, cpu: { irqs: 5us }']],
    says: ['7:30: unknown cpu "irqs" of sw (switch); expected one of irq, poll, packet; did you mean "irq"?'],
  },
  {
    of: 'a bracket of a list not closed',
    edits: [['run: [ httpd site/ ]', 'run: [ httpd site/']],
    says: [
      '4:79: not YAML: a bracket above is not closed before this line, or the line stands too far left; expected "]" before it',
    ],
  },
  {
    of: 'an unknown escape',
    edits: [['name: x', 'name: "\\q"']],
    says: [
      "1:8: not YAML: an unknown escape in a double-quoted text; expected \\n, \\t, \\\\, \\\" or a text in single quotes ('…')",
    ],
  },
  {
    of: 'an unknown tag',
    edits: [['name: x', 'name: !secret x']],
    says: ['1:7: not YAML: an unknown tag; expected a plain value without "!…"'],
  },
  {
    of: 'a mapping as a key',
    edits: [['name: x', '{ a: b }: x']],
    says: ['1:1: a mapping is used as a key; expected a word as the key'],
  },
  {
    of: 'a number with an exponent for a seed',
    edits: [['name: x', 'name: x\nseed: 1e3']],
    says: ['2:7: impossible value "1e3" for seed; expected a whole number from 0 to 4294967295'],
  },
  {
    of: 'a missing port name',
    edits: [['- alice:eth0', '- alice:']],
    says: ['9:5: cannot read "alice" as a wire; expected DEVICE:PORT -- DEVICE:PORT, such as alice:eth0 -- sw:p1'],
  },
  {
    of: 'an empty wire',
    edits: [['  - r:eth0 -- sw:p3', '  -']],
    says: ['11:4: a wire is empty; expected DEVICE:PORT -- DEVICE:PORT, such as alice:eth0 -- sw:p1'],
  },
  {
    of: 'a device named twice in another case',
    edits: [['  bob:', '  Alice: { kind: host }\n  bob:']],
    says: ['4:3: a second device is named Alice; expected another name: there is alice already'],
  },
  {
    of: 'a gateway that is a name',
    edits: [['gateway: 10.0.0.9', 'gateway: r']],
    says: ['4:50: impossible value "r" for gateway of bob (host); expected an IPv4 address such as 10.0.0.1'],
  },
  {
    of: 'addresses twice on one device',
    edits: [['eth1: 203.0.113.9/28', 'eth1: [ 203.0.113.9/28, 203.0.113.9/28 ]']],
    says: [
      '5:65: r:eth1 has the address 203.0.113.9 of r:eth1; expected an address of its own in 203.0.113.0/28; 203.0.113.10 is free',
    ],
  },
  {
    of: 'a file that is a folder',
    edits: [['hints: named.root', 'hints: site/']],
    says: ['6:62: "site/" for hints of ns (dns) is a folder; expected a file in the lab\'s folder'],
  },
  {
    of: 'hints on a server that answers',
    edits: [['role: local, hints: named.root', 'role: tld, zones: { com: named.root }, hints: named.root']],
    says: ['6:88: ns (dns) has hints, but only a local server asks the root; expected role: local, or no hints'],
  },
  {
    of: 'an address and its alias on another port',
    edits: [['eth0: 10.0.0.1/24', 'eth0: 10.0.0.1/24, eth1: 10.0.0.1/24']],
    says: [
      '3:49: alice:eth1 has the address 10.0.0.1 of alice:eth0; expected an address of its own in 10.0.0.0/24; 10.0.0.3 is free',
    ],
  },
  {
    of: 'a lan port twice',
    edits: [['nat: eth1', 'nat: eth1, lan: [ eth0, eth0 ]']],
    says: ['5:87: eth0 stands twice in lan of r (router); expected each port once'],
  },
  {
    of: 'a search domain that is none',
    edits: [['gateway: 10.0.0.9', 'gateway: 10.0.0.9, search: a..b']],
    says: ['4:68: impossible value "a..b" for search of bob (host); expected a domain name such as server.com'],
  },
  {
    of: 'a zone that is no name',
    edits: [['role: local, hints: named.root', 'role: tld, zones: { "a b": named.root }']],
    says: ['6:62: impossible value "a b" for zones of ns (dns); expected a zone such as server.com, or . for the root'],
  },
  {
    of: 'a value where a mapping belongs',
    edits: [['kind: switch', 'kind: switch, cpu: fast']],
    says: ['7:28: cpu of sw (switch) is "fast"; expected { irq, poll, packet }, each a time'],
  },
  {
    of: 'a rate of nothing',
    edits: [['loss: 1%', 'rate: 0bit']],
    says: [
      '10:44: impossible value "0bit" for rate of wire bob:eth0--sw:p2; expected a rate such as 56kbit, 10mbit or 1gbit',
    ],
  },
  {
    of: 'an address of nobody',
    edits: [['10.0.0.1/24', '0.0.0.0/0']],
    says: [
      "3:30: 0.0.0.0/0 for eth0 of alice (host) is of 0.0.0.0/8, which is nobody's; expected a host's address, such as 10.0.0.1/24",
    ],
  },
  {
    of: 'an impossible sysctl value',
    edits: [['nat: eth1', 'nat: eth1, sysctl: { net.ipv4.ip_default_ttl: 256 }']],
    says: [
      '5:109: impossible value "256" for net.ipv4.ip_default_ttl of r (router) (EINVAL); expected a value such as 64',
    ],
  },
  {
    of: 'a sysctl of a port that is not there',
    edits: [['nat: eth1', 'nat: eth1, sysctl: { net.ipv4.conf.eth7.rp_filter: 1 }']],
    says: [
      '5:84: r (router) has no port "eth7" for the sysctl net.ipv4.conf.eth7.rp_filter; expected one of eth0, eth1; did you mean "eth0"?',
    ],
  },
  {
    of: 'a sysctl that can only be read',
    edits: [['nat: eth1', 'nat: eth1, sysctl: { net.ipv4.fixed: 1 }']],
    says: [
      '5:100: impossible value "1" for net.ipv4.fixed of r (router) (EPERM); expected no value: it can only be read',
    ],
  },
  {
    of: 'a site outside the folder',
    edits: [['httpd site/', 'httpd ../site']],
    says: ['4:67: "../site" for httpd of bob (host) is not in the lab\'s folder; expected a folder in it'],
  },
  {
    of: 'a key without its colon',
    edits: [['{ kind: host, eth0: 10.0.0.1/24 }', '{ kind host, eth0: 10.0.0.1/24 }']],
    says: [
      '3:12: unknown key "kind host" in device alice; expected one of kind, role, gateway, routes, dns, search, hosts, run, nat, lan, zones, hints, ports, sysctl, cpu, ethN; put ": " after "kind"',
    ],
  },
  {
    of: 'a port without the blank after its colon',
    edits: [['eth0: 10.0.0.1/24 }', 'eth0:10.0.0.1/24 }']],
    says: [
      '3:24: unknown key "eth0:10.0.0.1/24" in device alice (host); expected one of kind, gateway, routes, dns, search, hosts, run, sysctl, cpu, ethN; put ": " after "eth0"',
    ],
  },
  {
    of: 'a semicolon for a comma',
    edits: [['kind: host, eth0: 10.0.0.1/24', 'kind: host; eth0: 10.0.0.1/24']],
    says: [
      '3:18: not YAML: a ": " inside brackets where a value ends; expected a comma between values: { key: value, key: value }',
    ],
  },
  {
    of: 'a line without its colon',
    edits: [['name: x', 'name x']],
    says: ['1:1: not YAML: a key without its ": "; expected ": " after the key, on the line where it starts'],
  },
  {
    of: 'a wire as a list',
    edits: [['- alice:eth0 -- sw:p1', '- [alice:eth0, sw:p1]']],
    says: ['9:5: a wire is a list; expected DEVICE:PORT -- DEVICE:PORT, such as alice:eth0 -- sw:p1'],
  },
  {
    of: 'run that is not a list',
    edits: [['[ httpd site/ ]', 'httpd site/']],
    says: [
      '4:65: run of bob (host) is "httpd site/"; expected a list, each entry a command line, a program and its arguments; write [ httpd site/ ]',
    ],
  },
  {
    of: 'control characters',
    edits: [['kind: switch', 'kind: "\\e[31mswitch"']],
    says: ['7:15: unknown kind "�[31mswitch" of device sw; expected one of host, switch, router, dns'],
  },
];

export const BAD_FILES: readonly { readonly of: string; readonly file: string; readonly says: readonly string[] }[] = [
  { of: 'an empty file', file: '', says: ['1:1: the file is empty; expected a mapping with name, devices and wires'] },
  {
    of: 'a file of comments',
    file: '# nothing yet\n',
    says: ['1:1: the file is empty; expected a mapping with name, devices and wires'],
  },
  {
    of: 'a file that is a word',
    file: 'hello\n',
    says: ['1:1: the file is "hello"; expected a mapping with name, devices and wires'],
  },
  {
    of: 'a file that is a list',
    file: '- a\n- b\n',
    says: ['1:1: the file is a list; expected a mapping with name, devices and wires'],
  },
  {
    of: 'no devices',
    file: 'name: x\nwires: []\n',
    says: ['1:1: the lab has no devices; expected devices: and below it a name with { kind: … } for each'],
  },
  {
    of: 'devices as a list',
    file: 'name: x\ndevices:\n  - alice\n',
    says: [
      '3:3: devices is a list; expected a mapping from names to devices, such as alice: { kind: host, eth0: 10.0.0.1/24 }',
    ],
  },
  {
    of: 'devices with nothing in it',
    file: 'name: x\ndevices:\n',
    says: [
      '2:9: devices is empty; expected a mapping from names to devices, such as alice: { kind: host, eth0: 10.0.0.1/24 }',
    ],
  },
];
