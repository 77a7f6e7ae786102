import { expect, test } from 'vitest';
import { HostNames, Services } from '../../shared/programs/names.ts';
import { readFrameFilter } from '../../shared/programs/tcpdump-filter.ts';
import { frameText, hexText } from '../../shared/programs/tcpdump-print.ts';
import { TcpFlows } from '../../shared/programs/tcpdump-tcp.ts';
import { randomBytes, TEST_SEED, testRandom } from '../kit/random.ts';

const FRAMES = 20_000;
const FILTERS = [
  'tcp port 80',
  'host 10.0.0.1 and not arp',
  'src net 10.0.0.0/8 or icmp',
  'portrange 1-100',
  'ether broadcast',
  'less 60',
];
const noFiles = {
  readFile: (): Uint8Array => {
    throw new Error('no files');
  },
};

test(`any bytes are printed and filtered without an exception (seed ${TEST_SEED})`, () => {
  const random = testRandom('tcpdump');
  const services = new Services(noFiles);
  const names = new HostNames(noFiles);
  const filters = FILTERS.map((text) => readFrameFilter([text], services));
  for (let n = 0; n < FRAMES; n++) {
    const bytes = randomBytes(random, random.below(120));
    // Most of them get far enough in to be IP, and then TCP, UDP or ICMP.
    if (bytes.length > 24 && random.below(4) > 0) {
      bytes.set([8, random.below(8) === 0 ? 6 : 0, 0x45], 12);
      bytes[23] = [1, 6, 17, 47][random.below(4)] ?? 0;
      if (random.below(2) === 0) bytes.set([0, 0], 20);
      if (random.below(2) === 0 && bytes.length > 38) bytes.set([0, 53], 36);
    }
    const view = new DataView(bytes.buffer);
    for (const filter of filters) expect(typeof filter(view, bytes.length)).toBe('boolean');
    const verbose = random.below(3);
    const options = { numeric: n % 2 === 0, link: n % 3 === 0, verbose, quick: n % 5 === 0, absolute: n % 7 === 0 };
    const text = frameText(bytes, bytes.length, { ...options, services, names, flows: new TcpFlows() });
    expect(typeof text).toBe('string');
    expect(typeof hexText(bytes, 0, bytes.length, true)).toBe('string');
  }
});
