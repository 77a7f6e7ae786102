/** The process of a router; run.ts is the process around it, device.ts its parts list. */
import { runDevice } from '../../shared/device/run.ts';
import { build } from './device.ts';

void runDevice(build);
