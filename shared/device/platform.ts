/** What a machine does better than a script, from Node: sums in WebAssembly, CRC-32 from zlib, files of the lab's folder. */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import * as zlib from 'node:zlib';
import { copySumView, copyView, sumView } from '../header/checksum.ts';
import { crc32 as plainCrc32 } from '../header/fcs.ts';
import type { Platform } from '../platform.ts';
import { frameMemoryInUse } from './frame-memory.ts';
import { halfSipHash } from './siphash.ts';

/** A lab's page or zone; larger files are not served. */
const FILE_BYTES_MAX = 256 * 1_024 * 1_024;

/** Below it the call into zlib costs more than it saves (measured on Node 20). */
const NATIVE_BYTES_MIN = 256;

export interface PlatformOptions {
  /** The lab's folder; without one there are no files. */
  readonly folder?: string | undefined;
}

export function nodePlatform(options: PlatformOptions = {}): Platform {
  const { folder } = options;
  return {
    crc32,
    sum,
    copy,
    copySum,
    packetMemory: (size) => frameMemoryInUse()?.takeForPackets(size),
    hash: (key, ...words) => halfSipHash(key[0], key[1], words),
    readFile: (path) => (folder === undefined ? undefined : readInside(folder, path)),
    readDirectory: (path) => (folder === undefined ? undefined : listInside(folder, path)),
  };
}

/** It came with Node 20.15. */
const native = (zlib as { crc32?: (data: Uint8Array) => number }).crc32;

/** Frames that stand in the process's frame memory: there. Others by zlib, or if they are short by header/fcs.ts. */
function crc32(bytes: Uint8Array, start: number, end: number): number {
  const known = frameMemoryInUse()?.crc32(bytes, start, end) ?? -1;
  if (known >= 0) return known;
  if (native === undefined || end - start < NATIVE_BYTES_MIN) return plainCrc32(bytes, start, end);
  return native(bytes.subarray(start, end));
}

function sum(view: DataView, start: number, end: number): number {
  const known = frameMemoryInUse()?.sum(view, start, end) ?? -1;
  return known >= 0 ? known : sumView(view, start, end);
}

function copy(source: DataView, from: number, length: number, target: DataView, at: number): void {
  const memory = frameMemoryInUse();
  if (memory !== undefined && memory.copySum(source, from, length, target, at) >= 0) return;
  copyView(source, from, length, target, at);
}

function copySum(source: DataView, from: number, length: number, target: DataView, at: number): number {
  const memory = frameMemoryInUse();
  if (memory === undefined) return copySumView(source, from, length, target, at);
  const known = memory.copySum(source, from, length, target, at);
  if (known >= 0) return known;
  copyView(source, from, length, target, at);
  return sum(target, at, at + length);
}

/** Where `path` really is, when that is inside the folder: symbolic links that lead out of it do not count. */
function placeInside(folder: string, path: string): string | undefined {
  if (path.includes('\0')) return undefined;
  try {
    const root = realpathSync(folder);
    const place = realpathSync(resolve(root, `./${path}`));
    return place === root || place.startsWith(root.endsWith(sep) ? root : root + sep) ? place : undefined;
  } catch {
    // Not there, or not ours to read: for the lab both are "no such file".
    return undefined;
  }
}

function readInside(folder: string, path: string): Uint8Array | undefined {
  const place = placeInside(folder, path);
  if (place === undefined) return undefined;
  try {
    const stat = statSync(place);
    return stat.isFile() && stat.size <= FILE_BYTES_MAX ? readFileSync(place) : undefined;
  } catch {
    return undefined;
  }
}

function listInside(folder: string, path: string): readonly string[] | undefined {
  const place = placeInside(folder, path);
  if (place === undefined) return undefined;
  try {
    return statSync(place).isDirectory() ? readdirSync(place).sort() : undefined;
  } catch {
    return undefined;
  }
}
