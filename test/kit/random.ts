/** Seeds for tests: the same in every run unless WIRELAB_SEED says otherwise; a test puts its seed in its title. */
import { seededRandom } from '../../shared/device/random.ts';
import type { Random } from '../../shared/platform.ts';

export const TEST_SEED = Number(process.env['WIRELAB_SEED'] ?? 1);

export function testRandom(name: string, seed = TEST_SEED): Random {
  return seededRandom(seed).fork(name);
}

export function randomBytes(random: Random, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = random.u32() & 255;
  return bytes;
}
