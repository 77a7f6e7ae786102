/**
 * The five hooks of IPv4, and what is registered there in the order of its priority (Linux: net/netfilter/core.c). With
 * nothing registered a hook is one test of an array's length.
 */
import type { Host } from './host.ts';
import type { NetDevice } from './netdev.ts';
import type { SkBuff } from './skbuff.ts';

/** Linux: enum nf_inet_hooks. */
export const HOOK = { PREROUTING: 0, INPUT: 1, FORWARD: 2, OUTPUT: 3, POSTROUTING: 4 } as const;
export type Hook = (typeof HOOK)[keyof typeof HOOK];
export const HOOK_NAMES = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'] as const;
export type HookName = (typeof HOOK_NAMES)[number];

/** Linux: enum nf_ip_hook_priorities. */
export const PRIORITY = {
  DEFRAG: -400,
  RAW: -300,
  CONNTRACK: -200,
  MANGLE: -150,
  NAT_TARGET: -100,
  FILTER: 0,
  NAT_SOURCE: 100,
  HELPER: 300,
  CONFIRM: 2_147_483_647,
} as const;

/**
 * Looks at one packet, skb.data at its IP header. Answers the packet that goes on (perhaps another one: reassembled),
 * or undefined when it consumed it.
 */
export type HookRun = (
  host: Host,
  skb: SkBuff,
  hook: Hook,
  input: NetDevice | undefined,
  output: NetDevice | undefined,
) => SkBuff | undefined;

interface Registered {
  readonly priority: number;
  readonly run: HookRun;
}

export class Netfilter {
  /** By hook, in the order of priority. */
  readonly hooks: readonly Registered[][] = [[], [], [], [], []];

  register(hook: Hook, priority: number, run: HookRun): void {
    const list = this.hooks[hook]!;
    const at = list.findIndex((other) => other.priority > priority);
    list.splice(at < 0 ? list.length : at, 0, { priority, run });
  }

  unregister(run: HookRun): void {
    for (const list of this.hooks) {
      const at = list.findIndex((registered) => registered.run === run);
      if (at >= 0) list.splice(at, 1);
    }
  }
}

/** Pass a packet through a hook: what comes out goes on, undefined was consumed. (Linux: NF_HOOK) */
export function nfHook(
  host: Host,
  hook: Hook,
  skb: SkBuff,
  input: NetDevice | undefined,
  output: NetDevice | undefined,
): SkBuff | undefined {
  const list = host.netfilter.hooks[hook]!;
  if (list.length === 0) return skb;
  let current: SkBuff | undefined = skb;
  for (const registered of list) {
    current = registered.run(host, current, hook, input, output);
    if (current === undefined) return undefined;
  }
  return current;
}
