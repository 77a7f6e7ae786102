/**
 * TCP's memory, of one sock and of the whole host: pages are taken in advance and used up octet by octet, three limits
 * (tcp_mem) say when to hold back and when to refuse (Linux: sk_mem_charge, __sk_mem_raise_allocated, tcp_memory_pressure).
 * What a packet costs is its truesize. Left out: memory cgroups, SO_RESERVE_MEM.
 */
import type { Host } from './host.ts';
import type { SkBuff } from './skbuff.ts';
import type { SysctlVector } from './sysctl.ts';
import type { TcpSock } from './tcp-sock.ts';

const PAGE_BYTES = 4_096;
/** Pages of memory that a machine of 4 GB reckons its limits by (nr_free_buffer_pages). */
const MACHINE_PAGES = 983_040;
const LIMIT = MACHINE_PAGES / 16;
/** tcp_mem as tcp_init_mem sets it: no pressure below, pressure above, refusal above. In pages. */
export const TCP_MEM_DEFAULT: readonly number[] = [(LIMIT / 4) * 3, LIMIT, (LIMIT / 4) * 6];

export class TcpMemory {
  readonly limits: SysctlVector;
  /** Pages that socks of this host hold (tcp_memory_allocated). */
  allocated = 0;
  pressure = false;
  private readonly host: Host;

  constructor(host: Host) {
    this.host = host;
    this.limits = host.sysctl.vector('net.ipv4.tcp_mem', TCP_MEM_DEFAULT, { min: 0 });
  }

  limit(which: 0 | 1 | 2): number {
    return this.limits.values[which] ?? 0;
  }

  enterPressure(): void {
    if (this.pressure) return;
    this.pressure = true;
    this.host.snmp.TcpExtTCPMemoryPressures++;
  }
}

/** The host is short of memory for TCP (tcp_under_memory_pressure). */
export function underMemoryPressure(sk: TcpSock): boolean {
  return sk.tcp.memory.pressure;
}

/** Whether `pages` more may be had for `sk` (__sk_mem_raise_allocated). */
function raiseAllocated(sk: TcpSock, pages: number, receive: boolean): boolean {
  const { memory, sysctl } = sk.tcp;
  memory.allocated += pages;
  const { allocated } = memory;
  if (allocated <= memory.limit(0)) {
    memory.pressure = false;
    return true;
  }
  if (allocated > memory.limit(1)) memory.enterPressure();
  if (allocated <= memory.limit(2)) {
    // Everyone may have the minimum; above it, a sock of average size still gets more.
    const least = (receive ? sysctl.rmem : sysctl.wmem).values[0] ?? 0;
    if ((receive ? sk.receiveMemory : sk.wmemQueued) < least || !memory.pressure) return true;
    const own = Math.ceil((sk.wmemQueued + sk.receiveMemory + sk.forwardAlloc) / PAGE_BYTES);
    if (memory.limit(2) > sk.tcp.socks.size * own) return true;
  }
  memory.allocated -= pages;
  return false;
}

/** See that `size` octets can be charged; false when the host has none (sk_rmem_schedule, sk_wmem_schedule). */
export function memorySchedule(sk: TcpSock, size: number, receive: boolean): boolean {
  const missing = size - sk.forwardAlloc;
  if (missing <= 0) return true;
  const pages = Math.ceil(missing / PAGE_BYTES);
  if (!raiseAllocated(sk, pages, receive)) return false;
  sk.forwardAlloc += pages * PAGE_BYTES;
  return true;
}

/** Use what was scheduled; beyond that it is forced (sk_mem_charge, sk_forced_mem_schedule). */
export function memoryCharge(sk: TcpSock, size: number): void {
  sk.forwardAlloc -= size;
  if (sk.forwardAlloc >= 0) return;
  const pages = Math.ceil(-sk.forwardAlloc / PAGE_BYTES);
  sk.forwardAlloc += pages * PAGE_BYTES;
  sk.tcp.memory.allocated += pages;
}

/** Give memory back; whole pages go to the host (sk_mem_uncharge). */
export function memoryUncharge(sk: TcpSock, size: number): void {
  sk.forwardAlloc += size;
  const pages = Math.floor(sk.forwardAlloc / PAGE_BYTES);
  if (pages === 0) return;
  const { memory } = sk.tcp;
  sk.forwardAlloc -= pages * PAGE_BYTES;
  memory.allocated -= pages;
  if (memory.pressure && memory.allocated < memory.limit(0)) memory.pressure = false;
}

/** A received packet is the sock's (skb_set_owner_r). */
export function chargeReceived(sk: TcpSock, skb: SkBuff): void {
  sk.receiveMemory += skb.truesize;
  memoryCharge(sk, skb.truesize);
}

/** It is no more (sock_rfree). */
export function unchargeReceived(sk: TcpSock, skb: SkBuff): void {
  sk.receiveMemory -= skb.truesize;
  memoryUncharge(sk, skb.truesize);
}

/** The write queue holds `size` octets more (sk_wmem_queued_add, sk_mem_charge). */
export function chargeQueued(sk: TcpSock, size: number): void {
  sk.wmemQueued += size;
  memoryCharge(sk, size);
}

export function unchargeQueued(sk: TcpSock, size: number): void {
  sk.wmemQueued -= size;
  memoryUncharge(sk, size);
}

/** Short of memory: send no more than two thirds of what is queued now (sk_stream_moderate_sndbuf). */
export function moderateSndbuf(sk: TcpSock, least: number): void {
  if (sk.sndbufLocked) return;
  sk.sndbuf = Math.max(Math.min(sk.sndbuf, sk.wmemQueued >> 1), least);
}
