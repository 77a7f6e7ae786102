/**
 * The two sums of every frame, and the copy of it that a card makes, in WebAssembly with SIMD: CRC-32 (header/fcs.ts) and the Internet checksum's
 * (header/checksum.ts), with the same answers. They read bytes of their own memory only; frame-memory.ts lays it out.
 *
 * CRC-32 without a table lookup per octet. A CRC is the remainder of the message, a polynomial over GF(2), by the
 * generator; adding a multiple of the generator changes nothing. Some multiples are sparse, and with Q(x) so is Q(x^8),
 * which is its eighth power: exponents that are whole octets. One of them is y^300 + y^155 + y^117 + y^89 + 1 (y = x^8):
 * so an octet may be taken away if it is added 145, 183, 211 and 300 octets further on. Done from the front, that leaves
 * 300 octets with the same remainder; a denser multiple leaves 137 of those, and tables do the rest, 16 octets a step.
 * Since no octet goes less than 16 further, 16 are done at once, by unaligned loads:
 *
 *   taken[i] = in[i] + taken[i - 145] + taken[i - 183] + taken[i - 211] + taken[i - 300]      for i < length - 300
 *
 * and the same sum, with nothing taken from there on, is what stays. (The idea to fold by sparse multiples: Kadatch and
 * Jenkins 2010; Russell, "Chorba", 2024. These multiples were found by looking for pairs and triples of equal sums of
 * x^n mod P; fold's test divides them.)
 */
import { type Code, code, get, i32, ifThen, set, v128, type WasmFunction, wasmFunction, whileDo } from './wasm-code.ts';

/** One sparse multiple of the generator, as the distances that an octet is moved by; the largest is the degree. */
export interface Fold {
  readonly distances: readonly number[];
  /** Blocks of 16 octets a turn of the loop: together no longer than the shortest distance. */
  readonly unrolled: number;
}
export const FOLD_LONG: Fold = { distances: [145, 183, 211, 300], unrolled: 4 };
export const FOLD_SHORT: Fold = { distances: [53, 57, 67, 108, 129, 137], unrolled: 2 };

const BLOCK = 16;
/** Octets at least for which a fold is worth its while: it must shorten them by a few turns. */
const FOLD_LONG_MIN = 512;
const FOLD_SHORT_MIN = 224;
/** Longest message of crc32: a jumbo frame. */
export const CRC_BYTES_MAX = 16_384;
/** Octets a step of the tables; each table has 256 words. */
const SLICES = 16;
const TABLE_BYTES = 1_024;
/** Octets a turn of the sum. */
const SUM_TURN = 32;

/** Where things stand in the memory; first free octet last. Areas of a fold begin with zeros, for what lies in front. */
const TABLES_AT = 1_024;
const MASKS_AT = TABLES_AT + SLICES * TABLE_BYTES;
const ZEROS = 512;
const TAKEN_LONG_AT = MASKS_AT + 32 + ZEROS;
const LEFT_LONG_AT = TAKEN_LONG_AT + CRC_BYTES_MAX + ZEROS;
const TAKEN_SHORT_AT = LEFT_LONG_AT + ZEROS + ZEROS;
const LEFT_SHORT_AT = TAKEN_SHORT_AT + ZEROS + ZEROS;
export const SUMS_BYTES = LEFT_SHORT_AT + ZEROS;

export function makeSums(): Record<'crc32' | 'sum' | 'copySum', WasmFunction> {
  return { crc32: crc32Function(), sum: sumFunction(), copySum: copySumFunction() };
}

/** What must stand in the memory before the first call. */
export function layOut(memory: Uint8Array): void {
  const words = new DataView(memory.buffer, memory.byteOffset);
  const table: number[] = [];
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb8_8320 ^ (c >>> 1) : c >>> 1;
    table.push(c);
  }
  for (let n = 0; n < 256; n++) {
    let c = table[n]!;
    for (let k = 0; k < SLICES; k++) {
      words.setInt32(TABLES_AT + k * TABLE_BYTES + 4 * n, c, true);
      c = table[c & 255]! ^ (c >>> 8);
    }
  }
  memory.fill(0xff, MASKS_AT, MASKS_AT + BLOCK);
}

/** Octet `k` of a word, looked up in the table of an octet that `slice` others follow. */
function lookUp(word: Code, k: number, slice: number): Code {
  const index = k === 0 ? i32.shiftLeft(word, i32.const(2)) : i32.shiftRight(word, i32.const(8 * k - 2));
  return i32.load(i32.and(index, i32.const(0x3fc)), TABLES_AT + slice * TABLE_BYTES);
}

const AT = 0;
const END = 1;
const CRC = 2;
const TAKEN = 3;
const EDGE = 4;
const WORD = 5;
const VECTOR = 6;

/** Take away one block: what is at AT and what was added to it by those taken before. */
function foldBlock({ distances }: Fold, offset: number): Code {
  const furthest = Math.max(...distances);
  let sum = v128.load(get(AT), offset);
  // Addresses have no negative offset: TAKEN is kept `furthest` below.
  for (const distance of distances) sum = v128.xor(sum, v128.load(get(TAKEN), furthest - distance + offset));
  return v128.store(get(TAKEN), sum, furthest + offset);
}

interface FoldPlace extends Fold {
  readonly takenAt: number;
  readonly leftAt: number;
}

/** Fold [AT, END): from then on they, and CRC = 0, stand for what is left at `leftAt`. */
function fold(place: FoldPlace): Code {
  const { distances, unrolled, takenAt, leftAt } = place;
  const furthest = Math.max(...distances);
  const turn = unrolled * BLOCK;
  const advance = code(set(AT, i32.add(get(AT), i32.const(BLOCK))), set(TAKEN, i32.add(get(TAKEN), i32.const(BLOCK))));
  const blocks: Code[] = [];
  for (let n = 0; n < unrolled; n++) blocks.push(foldBlock(place, n * BLOCK));
  const zeros: Code[] = [];
  for (let n = 0; n < furthest; n += BLOCK) zeros.push(v128.store(get(TAKEN), v128.zero, furthest + n));
  return code(
    // The first block: nothing was taken before it, and its first word has the CRC so far added.
    v128.store(i32.const(takenAt), v128.xor(v128.load(get(AT)), v128.withLane0(v128.zero, get(CRC)))),
    set(TAKEN, i32.const(takenAt - furthest)),
    // Whole turns, as long as `furthest` octets stay, one block having been done.
    set(EDGE, i32.sub(get(END), i32.const(furthest + turn - 1))),
    advance,
    whileDo(
      i32.lessThan(get(AT), get(EDGE)),
      ...blocks,
      set(AT, i32.add(get(AT), i32.const(turn))),
      set(TAKEN, i32.add(get(TAKEN), i32.const(turn))),
    ),
    ...zeros,
    // What is left goes elsewhere, since what was taken ends here. WORD is the way from the one to the other.
    set(WORD, i32.sub(i32.const(leftAt - furthest), get(TAKEN))),
    set(EDGE, i32.sub(get(END), get(AT))),
    whileDo(i32.lessThan(get(AT), get(END)), leftBlock(place), advance),
    set(AT, i32.const(leftAt)),
    set(END, i32.add(i32.const(leftAt), get(EDGE))),
    set(CRC, i32.const(0)),
  );
}

function leftBlock({ distances }: Fold): Code {
  const furthest = Math.max(...distances);
  let sum = v128.load(get(AT));
  for (const distance of distances) sum = v128.xor(sum, v128.load(get(TAKEN), furthest - distance));
  return v128.store(i32.add(get(TAKEN), get(WORD)), sum, furthest);
}

/** [AT, END) by tables, added to CRC. */
function slices(): Code {
  const steps: Code[] = [];
  let sum: Code | undefined;
  for (let word = 0; word < SLICES; word += 4) {
    const value = i32.load(get(AT), word);
    steps.push(set(WORD, word === 0 ? i32.xor(get(CRC), value) : value));
    for (let k = 0; k < 4; k++) {
      const found = lookUp(get(WORD), k, SLICES - 1 - word - k);
      sum = k === 0 ? found : i32.xor(sum!, found);
    }
    steps.push(set(CRC, word === 0 ? sum! : i32.xor(get(CRC), sum!)));
  }
  const octet = i32.xor(get(CRC), i32.load8(get(AT)));
  return code(
    set(EDGE, i32.sub(get(END), i32.const(SLICES - 1))),
    whileDo(i32.lessThan(get(AT), get(EDGE)), ...steps, set(AT, i32.add(get(AT), i32.const(SLICES)))),
    whileDo(
      i32.lessThan(get(AT), get(END)),
      set(CRC, i32.xor(lookUp(octet, 0, 0), i32.shiftRight(get(CRC), i32.const(8)))),
      set(AT, i32.add(get(AT), i32.const(1))),
    ),
  );
}

/** crc32(at, end): of the octets [at, end), as header/fcs.ts answers, but signed. At most CRC_BYTES_MAX of them. */
function crc32Function(): WasmFunction {
  const length = i32.sub(get(END), get(AT));
  const body = code(
    set(CRC, i32.const(-1)),
    ifThen(
      i32.lessThan(i32.const(FOLD_LONG_MIN), length),
      fold({ ...FOLD_LONG, takenAt: TAKEN_LONG_AT, leftAt: LEFT_LONG_AT }),
    ),
    ifThen(
      i32.lessThan(i32.const(FOLD_SHORT_MIN), length),
      fold({ ...FOLD_SHORT, takenAt: TAKEN_SHORT_AT, leftAt: LEFT_SHORT_AT }),
    ),
    slices(),
    i32.xor(get(CRC), i32.const(-1)),
  );
  return wasmFunction({ params: 2, locals: 4, vectors: 1, body });
}

/**
 * sum(at, end): of the octets [at, end) as 16-bit words, lowest octet first, an odd last one padded with zero; not
 * folded. At most 64 kB of them. (RFC 1071 §2: carries may be added later, and the order of octets only swaps the sum)
 */
function sumFunction(): WasmFunction {
  const SUM = VECTOR;
  const add = (block: Code): Code => set(SUM, v128.addI32(get(SUM), v128.addPairsU16(block)));
  const rest = i32.sub(get(END), get(AT));
  const body = code(
    set(EDGE, i32.sub(get(END), i32.const(SUM_TURN - 1))),
    whileDo(
      i32.lessThan(get(AT), get(EDGE)),
      add(v128.load(get(AT))),
      add(v128.load(get(AT), BLOCK)),
      set(AT, i32.add(get(AT), i32.const(SUM_TURN))),
    ),
    // The last ones, with what stands behind them masked away.
    whileDo(
      i32.lessThan(get(AT), get(END)),
      set(WORD, i32.const(MASKS_AT)),
      ifThen(i32.lessThan(rest, i32.const(BLOCK)), set(WORD, i32.sub(i32.const(MASKS_AT + BLOCK), rest))),
      add(v128.and(v128.load(get(AT)), v128.load(get(WORD)))),
      set(AT, i32.add(get(AT), i32.const(BLOCK))),
    ),
    allLanes(SUM),
  );
  return wasmFunction({ params: 2, locals: 4, vectors: 1, body });
}

/** copySum(at, end, to): the octets [at, end) to `to`, and no others; answers sum(at, end). At most 64 kB of them. */
function copySumFunction(): WasmFunction {
  const [TO, LAST, MASK, SUM, BLOCK_1, BLOCK_2] = [2, 3, 4, 5, 6, 7];
  const add = (block: Code): Code => set(SUM, v128.addI32(get(SUM), v128.addPairsU16(block)));
  const advance = (octets: number): Code =>
    code(set(AT, i32.add(get(AT), i32.const(octets))), set(TO, i32.add(get(TO), i32.const(octets))));
  const before = (octets: number): Code => i32.lessThan(i32.add(get(AT), i32.const(octets - 1)), get(END));
  const rest = i32.sub(get(END), get(AT));
  const body = code(
    set(LAST, i32.sub(get(END), i32.const(SUM_TURN - 1))),
    whileDo(
      i32.lessThan(get(AT), get(LAST)),
      set(BLOCK_1, v128.load(get(AT))),
      set(BLOCK_2, v128.load(get(AT), BLOCK)),
      v128.store(get(TO), get(BLOCK_1)),
      v128.store(get(TO), get(BLOCK_2), BLOCK),
      add(get(BLOCK_1)),
      add(get(BLOCK_2)),
      advance(SUM_TURN),
    ),
    ifThen(
      before(BLOCK),
      set(BLOCK_1, v128.load(get(AT))),
      v128.store(get(TO), get(BLOCK_1)),
      add(get(BLOCK_1)),
      advance(BLOCK),
    ),
    // Fewer than a block: summed with what stands behind them masked away, and copied one by one.
    ifThen(
      before(1),
      set(MASK, i32.sub(i32.const(MASKS_AT + BLOCK), rest)),
      add(v128.and(v128.load(get(AT)), v128.load(get(MASK)))),
    ),
    whileDo(before(4), i32.store(get(TO), i32.load(get(AT))), advance(4)),
    whileDo(before(1), i32.store8(get(TO), i32.load8(get(AT))), advance(1)),
    allLanes(SUM),
  );
  return wasmFunction({ params: 3, locals: 2, vectors: 3, body });
}

/** The four words of a vector, each as two halves, added up. */
function allLanes(vector: number): Code {
  return i32.add(
    i32.add(halves(v128.lane(get(vector), 0)), halves(v128.lane(get(vector), 1))),
    i32.add(halves(v128.lane(get(vector), 2)), halves(v128.lane(get(vector), 3))),
  );
}

/** The two halves of a word, added: four words are added without overflow afterwards. */
function halves(word: Code): Code {
  return i32.add(i32.and(word, i32.const(0xffff)), i32.shiftRight(word, i32.const(16)));
}
