/**
 * Seeded chance: xoshiro128** (Blackman and Vigna), its state filled by splitmix32 from the seed. The same seed gives
 * the same sequence on every machine, and a fork depends on the seed and its name alone. Not for secrets.
 */
import { assert, type Random } from '../platform.ts';

class Xoshiro128 implements Random {
  private readonly seed: number;
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  constructor(seed: number) {
    this.seed = seed >>> 0;
    this.a = splitmix32(this.seed, 1);
    this.b = splitmix32(this.seed, 2);
    this.c = splitmix32(this.seed, 3);
    // Never all zero: the one state that xoshiro does not leave.
    this.d = splitmix32(this.seed, 4) | 1;
  }

  u32(): number {
    const { b } = this;
    const scrambled = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    this.c ^= this.a;
    this.d ^= b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= shifted;
    this.d = rotate(this.d, 11);
    return scrambled;
  }

  below(limit: number): number {
    assert(limit >= 1 && limit <= 0x1_0000_0000, 'limit from 1 to 2^32');
    // Values beyond the last whole multiple would favour the low numbers: draw again (at most every second time).
    const fair = 0x1_0000_0000 - (0x1_0000_0000 % limit);
    for (;;) {
      const drawn = this.u32();
      if (drawn < fair) return drawn % limit;
    }
  }

  fork(name: string): Random {
    return new Xoshiro128(mixName(this.seed, name));
  }
}

export function seededRandom(seed: number): Random {
  return new Xoshiro128(seed);
}

/** A seed that depends on another one and on a text alone. */
export function mixName(seed: number, name: string): number {
  let mixed = splitmix32(seed, 0x9e37);
  for (let i = 0; i < name.length; i++) mixed = splitmix32(mixed ^ name.charCodeAt(i), i + 1);
  return mixed;
}

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

function splitmix32(seed: number, step: number): number {
  let z = (seed + Math.imul(step, 0x9e37_79b9)) >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0_aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a_2d97);
  return (z ^ (z >>> 15)) >>> 0;
}
