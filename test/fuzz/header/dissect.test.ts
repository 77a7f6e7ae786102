import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dissect } from '../../../shared/header/dissect.ts';

/** Frames that look right for a while: a sound beginning makes the deeper dissectors run. */
const prefixes = [
  [],
  [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 6],
  [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 60, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
  [
    2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 60, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 53,
    0, 53,
  ],
  [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 60, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
  [
    2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 60, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 80,
    0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 16,
  ],
];

test('any bytes are dissected into layers, none of which reaches beyond the frame', () => {
  fc.assert(
    fc.property(fc.constantFrom(...prefixes), fc.uint8Array({ maxLength: 200 }), fc.boolean(), (prefix, rest, fcs) => {
      const bytes = Uint8Array.of(...prefix, ...rest);
      const { layers, info } = dissect(bytes, { fcs });
      expect(layers.length).toBeGreaterThan(0);
      expect(typeof info).toBe('string');
      for (const layer of layers) {
        expect(layer.at + layer.size).toBeLessThanOrEqual(bytes.length);
        for (const field of layer.fields) expect(field.at + field.size).toBeLessThanOrEqual(bytes.length);
      }
    }),
    { numRuns: 3_000, seed: 20_261_122 },
  );
});
