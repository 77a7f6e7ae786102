import { describe, expect, test } from 'vitest';
import type { SocketRecord } from '../../../shared/net/netlink.ts';
import { timerText } from '../../../shared/programs/ss-info.ts';
import { ip4, testHost } from '../../kit/programs.ts';

const socket = (over: Partial<SocketRecord>): SocketRecord => ({
  protocol: 'tcp',
  state: 'ESTABLISHED',
  localAddress: ip4('10.0.0.1'),
  localPort: 42_704,
  remoteAddress: ip4('10.0.1.2'),
  remotePort: 80,
  receiveQueue: 0,
  sendQueue: 0,
  inode: 14_199,
  pid: 8_570,
  processName: 'python3',
  fd: 3,
  timer: undefined,
  info: undefined,
  memory: {},
  ...over,
});

const sockets: SocketRecord[] = [
  socket({
    state: 'SYN_SENT',
    localPort: 41_146,
    remoteAddress: ip4('10.0.1.77'),
    sendQueue: 1,
    fd: 8,
    timer: { name: 'on', expires: 8_000, retransmits: 0 },
  }),
  socket({
    info: {
      congestion: 'cubic',
      options: 7,
      snd_wscale: 7,
      rcv_wscale: 7,
      rto: 204_000,
      rtt: 227,
      rttvar: 133,
      ato: 40_000,
      snd_mss: 1448,
      pmtu: 1500,
      rcv_mss: 1448,
      advmss: 1448,
      snd_cwnd: 11,
      snd_ssthresh: 0x7fff_ffff,
      bytes_sent: 18,
      segs_out: 6,
      last_data_sent: 1016,
      reordering: 3,
      min_rtt: 8,
    },
  }),
  socket({ localPort: 42_708, fd: 4 }),
  socket({ protocol: 'udp', localPort: 59_761, remotePort: 53 }),
  socket({
    state: 'LISTEN',
    localAddress: ip4('0.0.0.0'),
    localPort: 80,
    remoteAddress: ip4('0.0.0.0'),
    remotePort: 0,
    sendQueue: 128,
  }),
];

const host = () => {
  const kit = testHost({
    SOCK_DIAG: ({ protocols }) => sockets.filter((one) => protocols === undefined || protocols.includes(one.protocol)),
  });
  kit.host.filesystem.writeFile(
    '/etc/services',
    new TextEncoder().encode('http 80/tcp www\ndomain 53/udp\ndomain 53/tcp\n'),
  );
  return kit;
};

describe('ss', () => {
  test('connected sockets of every protocol, columns as wide as what is in them', async () => {
    expect((await host().run('ss')).out).toBe(
      `Netid State    Recv-Q Send-Q Local Address:Port  Peer Address:Port  Process
udp   ESTAB    0      0           10.0.0.1:59761     10.0.1.2:domain       
tcp   SYN-SENT 0      1           10.0.0.1:41146    10.0.1.77:http         
tcp   ESTAB    0      0           10.0.0.1:42704     10.0.1.2:http         
tcp   ESTAB    0      0           10.0.0.1:42708     10.0.1.2:http         
`,
    );
  });

  test('-tln: one protocol needs no Netid', async () => {
    expect((await host().run('ss -tln')).out).toBe(
      `State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
LISTEN 0      128          0.0.0.0:80        0.0.0.0:*          
`,
    );
  });

  test('-tnp and -tno add who and when', async () => {
    const { run } = host();
    expect((await run('ss -tnp state syn-sent')).out).toBe(
      `Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess                           
0      1           10.0.0.1:41146    10.0.1.77:80   users:(("python3",pid=8570,fd=8))
`,
    );
    expect((await run('ss -tno state syn-sent')).out).toContain('10.0.1.77:80   timer:(on,008ms,0)\n');
  });

  test('a listener has only what its connections will start with', async () => {
    const { run, answer } = host();
    const info = { ca_name: 'cubic', rto: 1_000_000, snd_mss: 536, snd_cwnd: 10, sacked: 128 };
    answer({ SOCK_DIAG: () => [socket({ state: 'LISTEN', info })] });
    expect((await run('ss -tlni')).out.split('\n')[2]).toBe('\t cubic cwnd:10');
  });

  test('-H leaves the header out, and with it its widths', async () => {
    expect((await host().run('ss -Htn')).out).toBe(
      `SYN-SENT 0      1      10.0.0.1:41146 10.0.1.77:80
ESTAB    0      0      10.0.0.1:42704  10.0.1.2:80
ESTAB    0      0      10.0.0.1:42708  10.0.1.2:80
`,
    );
  });

  test('-ti prints tcp_info in the order of the original', async () => {
    const { run } = host();
    const { out } = await run(['ss', '-tin', 'sport = :42704']);
    expect(out.split('\n')[2]).toBe(
      '\t cubic wscale:7,7 rto:204 rtt:0.227/0.133 ato:40 mss:1448 pmtu:1500 rcvmss:1448 advmss:1448 cwnd:11' +
        ' bytes_sent:18 segs_out:6 send 561339207bps lastsnd:1016 minrtt:0.008',
    );
    expect((await run(['ss', '-ti', 'sport', '=', ':42704'])).out).toContain(' send 561Mbps ');
    expect((await run(['ss', '-tie', 'sport', '=', ':42704'])).out).toContain('\n\t ts sack cubic wscale:7,7');
  });

  test.each([
    ['dport = :http', 3],
    ['dst 10.0.1.2', 2],
    ['dst 10.0.1.77:80', 1],
    ['src 10.0.0.0/24 and not dst 10.0.1.2', 1],
    ['( sport = :42704 or sport = :42708 )', 2],
    ['dport >= :81', 0],
  ])('filter %s finds %i', async (filter, found) => {
    const { out } = await host().run(['ss', '-Htn', filter]);
    expect(out.split('\n').length - 1).toBe(found);
  });

  test('a word that is no state, no host, no option is told', async () => {
    const { run } = host();
    expect(await run('ss -tan state foo')).toMatchObject({ status: 255, err: 'ss: wrong state name: foo\n' });
    expect(await run('ss -tan foo')).toMatchObject({
      status: 1,
      err: 'Error: an inet prefix is expected rather than "foo".\nCannot parse dst/src address.\n',
    });
    expect((await run('ss -j')).err).toMatch(/^ss: invalid option -- 'j'\nUsage: ss/);
  });

  test('-s sums up', async () => {
    expect((await host().run('ss -s')).out).toBe(`Total: 5
TCP:   4 (estab 2, closed 0, orphaned 0, timewait 0)

Transport Total     IP        IPv6
RAW	  0         0         0        
UDP	  1         1         0        
TCP	  4         4         0        
INET	  5         5         0        
FRAG	  0         0         0        

`);
  });

  test.each([
    [8_000, '008ms'],
    [200_000, '200ms'],
    [1_500_000, '1.500ms'],
    [59_999_000, '59sec'],
    [7_199_000_000, '119min'],
    [0, ''],
  ])('a timer of %i microseconds reads %s', (micros, text) => expect(timerText(micros)).toBe(text));
});
