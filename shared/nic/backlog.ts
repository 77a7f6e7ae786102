/**
 * The way of a driver without NAPI, as all were before 2002: every frame interrupts, the handler puts it on a queue of the CPU
 * (netif_rx, enqueue_to_backlog), and the softirq takes it from there (process_backlog). Interrupts go before softirqs, so
 * with frames enough the CPU does nothing but queue packets that it then drops: a receive livelock (Mogul and
 * Ramakrishnan, 1997). Here so that it can be seen; `ethtool --set-priv-flags eth0 napi off`.
 */
import type { Host } from '../net/host.ts';
import { dropBacklog, type NetDevice, netifReceive } from '../net/netdev.ts';
import type { SkBuff } from '../net/skbuff.ts';
import type { Cpu, Napi } from './napi.ts';

export class Backlog implements Napi {
  readonly name = 'backlog';
  /** net.core.dev_weight (dev_rx_weight). */
  get weight(): number {
    return this.host.devices.weight.value;
  }
  scheduled = false;
  private readonly host: Host;
  private readonly cpu: Cpu;
  private readonly dev: NetDevice;
  private queue: SkBuff[] = [];
  private taken = 0;

  constructor(host: Host, cpu: Cpu, dev: NetDevice) {
    this.host = host;
    this.cpu = cpu;
    this.dev = dev;
  }

  /** Owns `skb`. (Linux: enqueue_to_backlog) */
  add(skb: SkBuff): void {
    if (this.queue.length - this.taken >= this.host.devices.backlogMax.value) {
      return dropBacklog(this.host, this.dev, skb);
    }
    this.queue.push(skb);
    this.host.devices.queuedByDrivers++;
    this.cpu.schedule(this);
  }

  /** (Linux: process_backlog) */
  poll(budget: number): number {
    let work = 0;
    while (work < budget && this.taken < this.queue.length) {
      this.host.devices.queuedByDrivers--;
      netifReceive(this.host, this.dev, this.queue[this.taken++]!);
      work++;
    }
    if (this.taken === this.queue.length) {
      this.queue = [];
      this.taken = 0;
    }
    return work;
  }

  complete(): void {}
}
