/** A packed lab on virtual time, as users open one, whose hosts are shut down after the test: nobody waits for its end. */
import { type LabOptions, lab, type Net } from '../../services/lab/index.ts';
import type { LabNet } from '../../services/lab/net/net.ts';
import type { PackedDriver } from '../../services/lab/net/packed.ts';
import type { ManualClock } from './clock.ts';
import { stopsMidFlight } from './mid-flight.ts';

export async function virtualLab(name: string, options: LabOptions = {}): Promise<Net> {
  const net = (await lab(name, { ...options, engine: 'packed', clock: 'virtual' })) as LabNet;
  const { packed, time } = net.driver as PackedDriver;
  for (const { host } of packed.devices.values()) stopsMidFlight(host, time.clock as ManualClock);
  return net;
}
