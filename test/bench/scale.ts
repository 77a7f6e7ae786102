/** How large a run is: the figures' own, and the smallest at which every row still runs, which proves nothing else. */
export interface Scale {
  readonly rounds: number;
  readonly blastSeconds: number;
  readonly pings: number;
  readonly pingIdleMs: number;
  /** Hosts on one switch in the row of boot and memory. */
  readonly hosts: number;
  /** Hosts in one process, and ten times as many. */
  readonly packedHosts: number;
  /** Devices, each twice as many as the one before. */
  readonly growth: readonly number[];
  /** Octets of the file that a growing lab transfers. */
  readonly fileBytes: number;
  /** The lab of this project that is brought up whole. */
  readonly lab: string;
  /** Of the work that the stack does by itself. */
  readonly stackShare: number;
  /** Real time for processes to come to rest before their memory is counted. */
  readonly restMs: number;
  /** Real time until V8 has tidied up after the start of a device: idle then, and not before. */
  readonly quietMs: number;
}

export const FULL: Scale = {
  rounds: 5,
  blastSeconds: 2,
  pings: 200,
  pingIdleMs: 10,
  hosts: 100,
  packedHosts: 100,
  growth: [25, 50, 100, 200],
  fileBytes: 64_000_000,
  lab: 'url-to-page',
  stackShare: 1,
  restMs: 1_000,
  quietMs: 15_000,
};

export const SMOKE: Scale = {
  rounds: 1,
  blastSeconds: 0.1,
  pings: 3,
  pingIdleMs: 1,
  hosts: 2,
  packedHosts: 3,
  growth: [3, 4],
  fileBytes: 100_000,
  lab: 'two-hosts',
  stackShare: 0.02,
  restMs: 0,
  quietMs: 0,
};
