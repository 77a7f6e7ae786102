/** Beside tshark, where it is installed: the same filter finds the same frames, or is refused with a word; fields are of the same kinds. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pcapngHeader, pcapngPacket } from '../../shared/device/pcapng.ts';
import { parseFilter } from '../../shared/header/display-filter.ts';
import { dissect } from '../../shared/header/dissect.ts';
import type { Dissection } from '../../shared/header/dissection.ts';
import { crc32 } from '../../shared/header/fcs.ts';
import { FILTER_FIELDS, type FieldKind } from '../../shared/header/filter-fields.ts';
import { recordUrlToPage } from '../kit/recorded.ts';

/** Taken, and the same frames are found. Of TCP on port 80 what is `data` is a guess of Wireshark's from the frames before. */
const SAME = String.raw`
tcp.flags.syn==1 && tcp.flags.ack==1
tcp or udp and icmp
(tcp or udp) and icmp
not tcp and not udp
!tcp.port == 80
! ip.src == 192.168.1.10 && tcp
tcp.port==80||udp.port==53
ip.addr == 192.168.1.10
ip.addr != 192.168.1.10
ip.addr !== 192.168.1.10
ip.addr ~= 192.168.1.10
ip.addr === 192.168.1.10
ip.addr any_ne 192.168.1.10
ip.addr all_eq 192.168.1.10
any ip.addr == 192.168.1.10
all ip.addr == 192.168.1.0/24
!(ip.addr == 192.168.1.10)
ip.addr == 192.168.1.77/24
ip.src == 0.0.0.0/0
ip.src > 192.168.1.10
ip.src >= 192.0.2.0/24
ip.src in {192.168.1.10, 192.0.2.0/24}
ip.src in {192.168.1.1 .. 192.168.1.20}
ip.src & 255.255.255.0 == 192.168.1.0
ip.src == ip.dst
ip.src == 192.168.1.10 or ip.dst == 192.168.1.10 and tcp
tcp.port in {80,443,8000..8010}
tcp.port not in {80}
not tcp.port in {80}
not tcp.port not in {80}
tcp.port ne 80
tcp.port lt 80
tcp.port === 80
tcp.port & 1
tcp.srcport == tcp.dstport
tcp.ack_raw > tcp.seq_raw
tcp.dstport == 0120
tcp.dstport == 0b1010000
tcp.dstport == 'P'
eth.addr == ff:ff:ff:ff:ff:ff
eth.addr == FF-FF-FF-FF-FF-FF
eth.addr == ffff.ffff.ffff
eth.src > 02:00:00:00:00:01
eth.src contains 00:00
eth.src[0] == 2
eth.dst[0:3] == ff:ff:ff
eth.dst[0] & 1 == 1
eth.type == 0x0800
eth.type in {0x0800, 0x0806}
eth.fcs.status == 1
ip[9] == 6
ip[9:1] == 06
ip[12:4] == c0:a8:01:0a
ip[0] & f0 == 40
tcp[13] == 12
tcp[13] & 2
tcp[12] & 0xf0 == 0x80
tcp[32:4] == "HTTP"
udp[2:2] == 0035
frame[12:2] == 08:06
frame[-4:4] contains 00
frame[0-5] == ff:ff:ff:ff:ff:ff
frame contains "HTTP"
frame contains 47-45-54
frame contains 4
frame matches "http/1"
udp contains 77:77:77
tcp.payload[0] == 'G'
tcp.payload matches "server"
tcp.flags == 0x018
tcp.flags & 2 == 2
tcp.flags bitwise_and 7
tcp.flags.syn
tcp.flags.syn != 1
tcp.flags.syn == TRUE
tcp.flags.reset == "Set"
tcp.len in { 0 .. 100, 1448 }
tcp.hdr_len == 32 && tcp.len == 1448
tcp.options.mss_val == 1460
tcp.options.sack_perm
tcp.options.wscale.shift == 7
tcp.options.timestamp.tsecr == 0
tcp.window_size_value > 60000
tcp.checksum > 0x8000
ip.flags == 2
ip.flags.mf == 1
ip.frag_offset == 185
ip.ttl in {1..5, 64}
ip.dsfield.dscp == 0
ip.checksum & 1
icmp.type == 3 && icmp.code == 3
icmp.type in {0,8}
icmp.seq == 1
udp.dstport == 33434
arp.opcode == 1 && eth.dst == ff:ff:ff:ff:ff:ff
arp.dst.proto_ipv4 == 192.168.1.0/24
arp.dst.hw_mac == 00:00:00:00:00:00
dns.flags.response == 1 && dns.flags.rcode == 3
dns.flags.authoritative == 1
dns.qry.name == "www.server.com"
dns.qry.name == "www.SERVER.com"
dns.qry.name == "<Root>"
dns.qry.name matches r"server\.com$"
dns.qry.name[0:3] == "www"
len(dns.qry.name) > 14
upper(dns.qry.name) == "WWW.SERVER.COM"
all dns.resp.name contains "server"
count(dns.resp.name) >= 3
dns.a == 192.0.2.80
dns.ns contains "ns"
dns.resp.type == 41
dns.resp.ttl > 3600
dns.count.add_rr > 1
dns.id > 0x1000
dns[2] & 0x80
http.request
http.request.method in {GET, HEAD}
http.request.uri matches "[.](css|png)$"
http.response.code >= 400
http.response.phrase == "OK"
http.content_length > 100
http.content_type contains "html"
http.host == www.server.com
http.host matches "SERVER"
http.host ~ "^www\\.server"
http.host > "a"
lower(http.host) == "www.server.com"
http[0:4] == 48:54:54:50
data.len > 100 && !tcp
frame.len <= 64
len(frame) > 100
`
  .trim()
  .split('\n');

/** Taken by Wireshark, refused here. */
const REFUSED: readonly (readonly [filter: string, says: string])[] = [
  ['tcp.seq == 0', 'there is tcp.seq_raw'],
  ['tcp.window_size > 100', 'there is tcp.window_size_value'],
  ['tcp.analysis.retransmission', 'worked out from more frames'],
  ['tcp.stream == 0', 'worked out from more frames'],
  ['frame.number == 5', 'worked out from more frames'],
  ['arp.opcode == request', 'arp.opcode is a number'],
  ['tcp.dstport == 40 + 40', 'arithmetic is left out'],
  ['string(ip.ttl) == "64"', 'there are count, len, lower, upper'],
  ['ip.src#1 == 192.168.1.10', 'the number of a layer is left out'],
  ['all ip.addr in {192.168.1.0/24}', 'all and in do not go together'],
  ['tcp == 1', 'tcp is a protocol'],
];

/** Slips that both refuse. */
const SLIPS = String.raw`
tcp.port == 70000
tcp.port == abc
tcp.dstport == "80"
ip.src == 10.0.0
ip.src == "192.168.1.10"
ip.src matches "192"
ip.src == 192.168.1.10/255.255.255.0
eth.src == 02:00
tcp.port contains 80
tcp.srcport[0] == 0
dns.qry.name matches "server\.com$"
http.host[0:3] == www
frame contains GET
ip.proto == udp
tcp xor udp
tcp.port in {80 443}
(tcp.flags & 0x12) == 0x02
tcp tcp
()
tcp.port = 80
80 == tcp.port
TCP
http.x_foo
tcp.port == 80 and
`
  .trim()
  .split('\n');

/** What of one frame depends on others is not looked at; ours looks at the frames of a wire one by one. */
const ALONE = [
  'tcp.desegment_tcp_streams:FALSE',
  'http.desegment_headers:FALSE',
  'http.desegment_body:FALSE',
  'dns.desegment_dns_messages:FALSE',
  'ip.defragment:FALSE',
  'eth.check_fcs:TRUE',
].flatMap((option) => ['-o', option]);

const KINDS: Readonly<Record<FieldKind, RegExp>> = {
  u8: /^FT_UINT8$/,
  u16: /^FT_UINT16$/,
  u24: /^FT_UINT24$/,
  u32: /^FT_(U?INT32|UINT64)$/,
  flag: /^FT_BOOLEAN$/,
  ipv4: /^FT_IPv4$/,
  mac: /^FT_ETHER$/,
  text: /^FT_STRING$/,
  octets: /^FT_BYTES$/,
  present: /^FT_(NONE|BYTES)$/,
};

describe.skipIf(spawnSync('which', ['tshark']).status !== 0)('beside tshark', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wirelab-filters-'));
  const file = join(folder, 'frames.pcapng');
  let frames: Dissection[] = [];
  afterAll(() => rmSync(folder, { recursive: true }));

  beforeAll(async () => {
    const recorded = await recordUrlToPage();
    const all = [...recorded.frames.values()].flat().map((frame) => Buffer.from(frame).toString('latin1'));
    const blocks = [pcapngHeader([{ name: 'a:eth0', description: '' }])];
    frames = [...new Set(all)].map((text, i) => {
      const frame = Buffer.from(`${text}\0\0\0\0`, 'latin1');
      frame.writeUInt32LE(crc32(frame, 0, frame.length - 4), frame.length - 4);
      blocks.push(pcapngPacket({ interface: 0, time: 1_764_000_000_000_000 + i, direction: 'in', bytes: frame }));
      return dissect(frame);
    });
    writeFileSync(file, Buffer.concat(blocks));
  });

  function theirs(filter: string): number[] | undefined {
    const args = ['-n', '-r', file, ...ALONE, '-Y', filter, '-T', 'fields', '-e', 'frame.number'];
    const { status, stdout } = spawnSync('tshark', args, { encoding: 'utf8' });
    return status === 0 ? stdout.split('\n').filter(Boolean).map(Number) : undefined;
  }

  test.each(SAME)('%s', (filter) => {
    const fits = parseFilter(filter);
    if ('problem' in fits) throw new Error(fits.problem.message);
    expect(frames.flatMap((frame, i) => (fits(frame) ? [i + 1] : []))).toEqual(theirs(filter));
  });

  test.each(REFUSED)('%s is left out, and told so', (filter, says) => {
    expect(theirs(filter)).toBeDefined();
    expect(parseFilter(filter)).toMatchObject({ problem: { message: expect.stringContaining(says) } });
  });

  test.each(SLIPS)('%s is a slip to both', (filter) => {
    expect(theirs(filter)).toBeUndefined();
    expect(parseFilter(filter)).toHaveProperty('problem');
  });

  test('every field has the kind that it has there, or is none there', () => {
    const { stdout } = spawnSync('tshark', ['-G', 'fields'], { encoding: 'utf8', maxBuffer: 200_000_000 });
    const lines = stdout.split('\n').map((line) => line.split('\t'));
    const known = new Map(lines.filter(([what]) => what === 'F').map(([, , name, type]) => [name, type ?? '']));
    const protocols = new Set(lines.filter(([what]) => what === 'P').map(([, , name]) => name));
    const wrong = [...FILTER_FIELDS].filter(([name, kind]) => {
      return !protocols.has(name) && !KINDS[kind].test(known.get(name) ?? '');
    });
    expect(wrong).toEqual([]);
  });
});
