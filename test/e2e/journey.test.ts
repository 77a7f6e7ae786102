import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Gateway } from '../kit/gateway.ts';
import { type ReadPacket, readPcapng } from '../kit/pcapng.ts';
import { until, Wirelab } from '../kit/wirelab.ts';

/** The parts of a story that the tests look at (services/gateway/journey/story.ts). */
interface Step {
  readonly number: number;
  readonly at: number;
  readonly device: string;
  readonly title: string;
  readonly text: string;
  readonly layer: { readonly osi: string; readonly tcpip: string };
  readonly event: {
    readonly device: string;
    readonly point: string;
    readonly skb?: { readonly device: number; readonly number: number };
  };
  readonly frame: null | {
    readonly wire: string;
    readonly end: string;
    readonly direction: 'in' | 'out';
    readonly frame: number;
  };
}
interface Story {
  readonly exitStatus: number;
  readonly lost: number;
  readonly steps: readonly Step[];
}

const URL = 'http://www.server.com/';

describe('a journey in url-to-page', () => {
  const wirelab = new Wirelab();
  const file = join(wirelab.folder, 'journey.pcapng');
  let packets: ReadPacket[] = [];
  let first: Story;
  let address = '';
  const tell = async (device: string, url: string): Promise<Story> =>
    JSON.parse((await wirelab.run(['journey', device, url, '--json'])).stdout) as Story;
  const titles = (story: Story): string[] => story.steps.map((step) => step.title);
  const routers = (story: Story): string[] =>
    story.steps.filter((step) => step.event.point === 'ip_forward').map((step) => step.device);

  beforeAll(async () => {
    address = await wirelab.up('url-to-page');
    const capture = wirelab.start(['capture', 'all', '-w', file]);
    await until(() => capture.stderr().includes('capturing'));
    first = await tell('alice', URL);
    capture.process.kill('SIGINT');
    await capture.done;
    packets = readPcapng(readFileSync(file));
  }, 60_000);
  afterAll(() => wirelab.end());

  test('tells every stage, in order, of this run', () => {
    const stages = [
      'The URL is parsed',
      'The browser’s DNS cache does not know the name',
      'The OS cache does not know the name',
      'The hosts file does not have the name',
      'The local DNS server is asked',
      'The root server is asked',
      'The TLD server is asked',
      'The authoritative server is asked',
      'The local DNS server has answered',
      'Handshake 1 of 3: SYN',
      'Handshake 2 of 3: SYN, ACK',
      'Handshake 3 of 3: ACK',
      'The HTTP request is written',
      'The server process reads the request',
      'The page is shown',
    ];
    const found = stages.map((stage) => titles(first).indexOf(stage));
    expect(Object.fromEntries(stages.map((stage, i) => [stage, found[i]]))).toEqual(
      Object.fromEntries(stages.map((stage) => [stage, expect.any(Number)])),
    );
    expect(found.every((at) => at >= 0)).toBe(true);
    expect(found).toEqual([...found].sort((a, b) => a - b));
    expect(first).toMatchObject({ exitStatus: 0, lost: 0 });
  });

  test('tells ARP, what the switches learned, NAT, segments by MSS, the server’s layers and the four-way close', () => {
    const all = titles(first).join('\n');
    expect(all).toMatch(/Who has 192\.168\.1\.1\?/);
    expect(all).toMatch(/The switch learns/);
    expect(all).toMatch(/The switch (forwards|floods)/);
    expect(all).toMatch(/NAT changes an address/);
    expect(all).toMatch(/The response travels in \d+ segments/);
    expect(all).toMatch(/IP: for my address/);
    expect(all).toMatch(/TCP: for a connection of mine/);
    expect(all).toMatch(/Close 1 of 4: FIN/);
    // A server that closes at once acknowledges with its own FIN, as Linux's does.
    expect(all).toMatch(/Close (3 of 4: FIN|2 and 3 of 4: ACK and FIN in one segment)/);
    expect(all).toMatch(/Close 4 of 4: ACK/);
    expect(routers(first)).toEqual(
      expect.arrayContaining(['home-router', 'isp-router', 'core1', 'core3', 'server-router']),
    );
  });

  test('names each step’s layer in both models', () => {
    for (const step of first.steps) {
      expect(step.layer.osi).toMatch(/^[1-7] [A-Z]/);
      expect(['Application', 'Transport', 'Internet', 'Link']).toContain(step.layer.tcpip);
    }
  });

  test('every citation is a frame that the capture has, with the packet that the event names', () => {
    const cited = first.steps.filter((step) => step.frame !== null);
    expect(cited.length).toBeGreaterThan(20);
    for (const { frame, event, title } of cited) {
      const found = packets.filter(
        (packet) =>
          packet.interface === frame?.end &&
          packet.direction === frame.direction &&
          packet.comment === `frame ${frame.frame}`,
      );
      expect([title, found.length]).toEqual([title, 1]);
      if (event.skb !== undefined)
        expect([title, found[0]?.identity]).toEqual([title, `${event.skb.device}/${event.skb.number}`]);
    }
  });

  const tshark = spawnSync('tshark', ['--version']).status === 0;
  test.skipIf(!tshark)(
    'tshark finds no malformed packet and no bad checksum in the capture, FCS included (skipped without tshark)',
    () => {
      const options = ['eth.check_fcs', 'ip.check_checksum', 'tcp.check_checksum', 'udp.check_checksum'].flatMap(
        (name) => ['-o', `${name}:TRUE`],
      );
      // Every segment is in the capture once for each wire end, so tshark has to sort before it puts streams together.
      options.push('-o', 'tcp.reassemble_out_of_order:TRUE');
      const bad =
        '_ws.malformed || eth.fcs.status == 0 || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0 || icmp.checksum.status == 0';
      const run = spawnSync('tshark', ['-r', file, ...options, '-Y', bad], { encoding: 'utf8' });
      expect([run.status, run.stdout]).toEqual([0, '']);
      const all = spawnSync('tshark', ['-r', file, '-Y', 'http || dns || arp'], { encoding: 'utf8' });
      expect(all.stdout).toMatch(/GET \/ HTTP\/1\.1/);
    },
  );

  test('with hot caches nobody is asked', async () => {
    const story = await tell('alice', URL);
    expect(titles(story)).toContain('The browser’s DNS cache knows the address');
    expect(titles(story)).not.toContain('The root server is asked');
    expect(story.exitStatus).toBe(0);
  });

  test('a name that does not exist ends at the TLD’s or the authoritative server’s NXDOMAIN', async () => {
    const story = await tell('alice', 'http://nobody.server.com/');
    expect(story.exitStatus).not.toBe(0);
    expect(story.steps.map((step) => step.text).join('\n')).toMatch(/does not exist \(NXDOMAIN\)/);
    expect(titles(story)).not.toContain('Handshake 1 of 3: SYN');
  });

  test('a page with no path is the server’s default document', async () => {
    const story = await tell('bob', 'http://www.server.com');
    expect(story.steps.find((step) => step.title === 'The URL is parsed')?.text).toMatch(/default document/);
    expect(story.steps.find((step) => step.title === 'The server answers with a file')?.text).toMatch(/index\.html/);
  });

  test('with a backbone wire unplugged the packets go round the other way', async () => {
    await wirelab.good('unplug', 'core1:eth2--core3:eth1');
    const story = await tell('bob', URL);
    await wirelab.good('plug', 'core1:eth2--core3:eth1');
    expect(routers(first)).not.toContain('core2');
    expect(routers(story)).toContain('core2');
    expect(story.exitStatus).toBe(0);
  });

  test('a SYN that is lost is told as lost, and where, and that it was sent again', async () => {
    await tell('bob', URL);
    const gateway = new Gateway(address);
    await gateway.impair('core3:eth0', { loss: 1 });
    const syn = gateway.whenTraced('bob', 'tcp_transmit_skb');
    const journey = wirelab.run(['journey', 'bob', URL, '--json']);
    await syn;
    // The first SYN needs some 10 ms to the lossy wire; its retransmission comes a second later.
    await new Promise((resolve) => setTimeout(resolve, 300));
    await gateway.impair('core3:eth0', {});
    const story = JSON.parse((await journey).stdout) as Story;
    expect(titles(story)).toContain('The SYN is lost');
    expect(titles(story)).toContain('SYN again (retransmission 1)');
    expect(story.exitStatus).toBe(0);
  });
});
