/**
 * WebAssembly written down by name: each function gives the bytes of one instruction with its operands in front of it, so
 * that code reads as an expression, and module() puts functions into a binary. Only the instructions that are used here.
 * (WebAssembly core specification 2.0, §5.4 and §5.5)
 *
 * Interface:
 * - wasmFunction({ params, locals, vectors, body }) is a function of i32 parameters that returns an i32; its locals are
 *   numbered parameters first, then `locals` of i32, then `vectors` of v128.
 * - wasmModule(functions, memoryPages) imports `env.memory` and exports each function by its name.
 */
export type Code = readonly number[];

/** Value types. */
const I32 = 0x7f;
const V128 = 0x7b;
/** A block that leaves nothing on the stack. */
const EMPTY = 0x40;

/** An unsigned number in LEB128. */
function leb(n: number): number[] {
  const out: number[] = [];
  for (; n > 127; n >>>= 7) out.push((n & 127) | 128);
  out.push(n);
  return out;
}

/** A signed one. */
function signedLeb(n: number): number[] {
  const out: number[] = [];
  for (;;) {
    const low = n & 127;
    n >>= 7;
    if ((n === 0 && (low & 64) === 0) || (n === -1 && (low & 64) !== 0)) return [...out, low];
    out.push(low | 128);
  }
}

const simd = (opcode: number): number[] => [0xfd, ...leb(opcode)];
/** Alignment is a hint, and nothing here is aligned. */
const at = (offset: number): number[] => [0, ...leb(offset)];

const binary =
  (...opcode: number[]) =>
  (a: Code, b: Code): Code => [...a, ...b, ...opcode];
const load =
  (...opcode: number[]) =>
  (address: Code, offset = 0): Code => [...address, ...opcode, ...at(offset)];

export const i32 = {
  const: (n: number): Code => [0x41, ...signedLeb(n | 0)],
  load: load(0x28),
  load8: load(0x2d),
  store: (address: Code, value: Code, offset = 0): Code => [...address, ...value, 0x36, ...at(offset)],
  store8: (address: Code, value: Code, offset = 0): Code => [...address, ...value, 0x3a, ...at(offset)],
  lessThan: binary(0x49),
  add: binary(0x6a),
  sub: binary(0x6b),
  and: binary(0x71),
  or: binary(0x72),
  xor: binary(0x73),
  shiftLeft: binary(0x74),
  shiftRight: binary(0x76),
};

export const v128 = {
  load: load(...simd(0x00)),
  store: (address: Code, value: Code, offset = 0): Code => [...address, ...value, ...simd(0x0b), ...at(offset)],
  zero: [...simd(0x0c), ...new Array<number>(16).fill(0)] as Code,
  and: binary(...simd(0x4e)),
  xor: binary(...simd(0x51)),
  /** Lane 0 of a vector of i32, and one replaced. */
  withLane0: (vector: Code, value: Code): Code => [...vector, ...value, ...simd(0x1c), 0],
  lane: (vector: Code, lane: number): Code => [...vector, ...simd(0x1b), lane],
  addI32: binary(...simd(0xae)),
  /** Eight unsigned 16-bit numbers added in pairs to four of 32 bits. */
  addPairsU16: (vector: Code): Code => [...vector, ...simd(0x7f)],
};

export const get = (local: number): Code => [0x20, ...leb(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...leb(local)];
export const code = (...parts: readonly Code[]): Code => parts.flat();

/** while (condition) body; */
export const whileDo = (condition: Code, ...body: readonly Code[]): Code => [
  ...[0x03, EMPTY],
  ...condition,
  ...[0x04, EMPTY],
  ...body.flat(),
  // To the loop's start, one label out of the `if`.
  ...[0x0c, 1],
  ...[0x0b, 0x0b],
];

export const ifThen = (condition: Code, ...body: readonly Code[]): Code => [
  ...condition,
  ...[0x04, EMPTY],
  ...body.flat(),
  0x0b,
];

export interface WasmFunction {
  readonly params: number;
  readonly code: Code;
}

export interface FunctionParts {
  readonly params: number;
  /** How many locals of i32, and how many of v128 after them. */
  readonly locals: number;
  readonly vectors: number;
  /** Its last instruction leaves the result. */
  readonly body: Code;
}

export function wasmFunction({ params, locals, vectors, body }: FunctionParts): WasmFunction {
  const declared = [2, ...leb(locals), I32, ...leb(vectors), V128];
  return { params, code: [...declared, ...body, 0x0b] };
}

const sized = (bytes: Code): Code => [...leb(bytes.length), ...bytes];
const list = (items: readonly Code[]): Code => [...leb(items.length), ...items.flat()];
const section = (id: number, items: readonly Code[]): Code => [id, ...sized(list(items))];
const name = (text: string): Code => sized([...new TextEncoder().encode(text)]);

/** The binary of a module. Its memory is imported: `memoryPages` of 64 kB, no more and no less. */
export function wasmModule(
  functions: Readonly<Record<string, WasmFunction>>,
  memoryPages: number,
): Uint8Array<ArrayBuffer> {
  const all = Object.entries(functions);
  const types = all.map(([, { params }]) => [0x60, ...list(new Array<Code>(params).fill([I32])), 1, I32]);
  const memory = [...name('env'), ...name('memory'), 0x02, 0x01, ...leb(memoryPages), ...leb(memoryPages)];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, types),
    ...section(2, [memory]),
    ...section(
      3,
      all.map((_, i) => leb(i)),
    ),
    ...section(
      7,
      all.map(([key], i) => [...name(key), 0x00, ...leb(i)]),
    ),
    ...section(
      10,
      all.map(([, { code: body }]) => sized(body)),
    ),
  ]);
}
