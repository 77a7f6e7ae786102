/** A switch: ports without addresses that pass frames on unchanged. It has a host for its commands, and no IP. */
import { Switch } from '../../shared/bridge/switch.ts';
import { loopbackUp, setUp } from '../../shared/device/configure.ts';
import type { Device, DeviceParts } from '../../shared/device/device.ts';
import { assemble } from '../../shared/device/kernel.ts';
import type { DevicePlan } from '../../shared/lab/plan-types.ts';
import type { Host } from '../../shared/net/host.ts';
import type { Phy } from '../../shared/nic/phy.ts';

export function build(plan: DevicePlan, parts: DeviceParts): Device {
  return assemble(plan, parts, {
    ports,
    configure: (host) => {
      loopbackUp(host);
      for (const port of plan.ports) setUp(host, port.name);
    },
    residents: plan.run,
    addresses: () => undefined,
  });
}

function ports(host: Host, plan: DevicePlan, parts: DeviceParts): ReadonlyMap<string, Phy> {
  const bridge = new Switch(host);
  const made = plan.ports.map(
    ({ name, mtu }) => [name, bridge.addPort({ name, mtu, wire: parts.wires.get(name) })] as const,
  );
  return new Map(made);
}
