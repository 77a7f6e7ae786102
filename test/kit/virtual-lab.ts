/** A packed lab on virtual time, as users open one, whose hosts are shut down after the test: nobody waits for its end. */
import { PackedLab } from '../../services/lab/engine-packed.ts';
import { type LabOptions, lab, type Net } from '../../services/lab/index.ts';
import type { LabNet } from '../../services/lab/net/net.ts';
import type { PackedDriver } from '../../services/lab/net/packed.ts';
import type { Device } from '../../shared/device/device.ts';
import type { ManualClock } from './clock.ts';
import { gone, stopsMidFlight } from './mid-flight.ts';

export async function virtualLab(name: string, options: LabOptions = {}): Promise<Net> {
  const net = (await lab(name, { ...options, engine: 'packed', clock: 'virtual' })) as LabNet;
  const { packed, time } = net.driver as PackedDriver;
  const stops = ({ host }: Device): void => stopsMidFlight(host, time.clock as ManualClock);
  for (const device of packed.devices.values()) stops(device);
  const { kill, start } = PackedLab.prototype;
  packed.kill = (name) => {
    gone.add(packed.device(name).host.skbs);
    kill.call(packed, name);
  };
  packed.start = (name) => {
    start.call(packed, name);
    stops(packed.device(name));
  };
  return net;
}
