/** A page fetched by a device's own curl: names, routes and connections are the lab's. */
import { EmuError } from '../../../shared/device/errors.ts';
import type { Driver } from './driver.ts';
import type { FetchResult } from './types.ts';

/** Seconds of lab time that one page may take. */
const PAGE_SECONDS_MAX = 120;

export async function curl(driver: Driver, device: string, url: string): Promise<FetchResult> {
  const parts: Uint8Array[] = [];
  let problem = '';
  const argv = ['curl', '-sS', '-i', '--max-time', String(PAGE_SECONDS_MAX), url];
  const running = driver.run(device, argv, {
    stdout: (bytes) => void parts.push(bytes.slice()),
    stderr: (bytes) => void (problem += new TextDecoder().decode(bytes)),
  });
  const status = await driver.during(running.exit);
  if (status !== 0)
    throw new EmuError('EMU_FAILED', `${device}: ${problem.trim() || `curl ended with status ${status}`}`, { device });
  return pageOf(Buffer.concat(parts));
}

/** Head and body of what `curl -i` prints. */
function pageOf(bytes: Buffer): FetchResult {
  const end = bytes.indexOf('\r\n\r\n');
  const [first = '', ...lines] = bytes.subarray(0, Math.max(0, end)).toString('latin1').split('\r\n');
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const body = new Uint8Array(bytes.subarray(end < 0 ? bytes.length : end + 4));
  const status = Number(/^HTTP\/\S+ (\d{3})/.exec(first)?.[1] ?? 0);
  return { status, headers, body, text: () => new TextDecoder().decode(body) };
}
