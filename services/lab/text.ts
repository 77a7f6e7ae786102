/** Every sentence that the command says to people, in one place. */

const didYouMean = (near: string | undefined): string => (near === undefined ? '' : `; did you mean ${near}?`);

export const HELP = {
  version: 'print the version of wirelab',
  about: 'A network emulator in which every device is its own process, joined by wires you can unplug.',
  lab: 'the lab that is meant, when more than one is up',
  up: 'bring a lab up: by name (see labs), or the path of a lab file or its folder',
  upDetach: 'return when the lab is ready and leave it running',
  upDocker: 'run the devices as containers (docker compose) instead of processes',
  upSeed: 'seed of everything that is left to chance, instead of the lab file’s',
  upBasePort: 'take consecutive ports from this one: the gateway’s first, then the devices’',
  down: 'take a lab down: no process, socket or file stays behind',
  ps: 'list the devices of the running lab',
  json: 'as JSON',
  logs: 'show what a device’s process (or every one) has logged',
  labs: 'list the labs that can be brought up',
  check: 'check a lab file; every problem is shown with its line',
  compose: 'print the compose.yaml of a lab',
  exec: 'run an emulated program on a device: ping, ip, curl, …',
  execArgs: 'the program and its arguments',
  journey: 'fetch a page from a device and tell the story of how it got there',
  unplug: 'pull the plug of a wire, named by either port (alice:eth0) or by itself (alice:eth0--sw:p1)',
  plug: 'put the plug of a wire back',
  impair:
    'what a port does to the frames it sends, or a wire both ways, from the next frame on; knobs not named stay; without one: what is so now',
  impairClear: 'end every knob first, also those of the lab file',
  impairMatch:
    'delay, lose, duplicate or corrupt only the frames that this display filter names; off: no such rule any more',
  impairNth: 'only the nth of them, counted from now',
  impairEvery: 'of these only every n-th',
  impairCount: 'so many of them, from the nth on',
  impairKnobs: `
Values are those of a lab file, in the words of tc-netem(8); off takes a knob away.
  wirelab impair alice:eth0 --delay 20ms --jitter 5ms --loss 'gemodel 1% 20%'
  wirelab impair alice:eth0--sw:p1 --match 'tcp.flags.syn==1 && tcp.flags.ack==1' --nth 2 --loss 100%
  wirelab impair alice:eth0 --loss off`,
  cut: 'lose all that a port sends: the far end goes deaf, this one does not notice',
  flap: 'unplug and plug a wire over and over',
  flapPeriod: 'how long in and out take together',
  flapDuty: 'the share of it with the plug in',
  partition: 'unplug the fewest wires that part groups of devices: alice,bob -- web; one group: from all the rest',
  freeze: 'let a device’s process stand still; its neighbours miss three link pulses and know within four seconds',
  thaw: 'let a frozen device go on',
  heal: 'end the faults at a port, a wire or a device, or all of them: the lab is as its file says',
  faults: 'list the faults in force',
  verdicts: 'what wires did to which frames, and by which rule: at a port, a wire, or all',
  ledger: 'account for every frame, per wire and direction: given, lost by what, received, refused by what',
  verdictsFollow: 'go on until Ctrl-C',
  chaos: 'play scenarios of trouble and checks on a lab of their own',
  chaosRun: 'play a scenario file once; status 0 passed, 1 a check failed, 2 bad file',
  chaosSweep: 'play a scenario from many seeds and keep those that fail',
  chaosSeed: 'instead of the scenario’s',
  chaosSeeds: 'the seeds to play',
  chaosKeep: 'where log, verdicts and capture of each failing seed go',
  chaosEngine: 'what the devices run as; of a sweep packed, unless the file says otherwise',
  chaosClock: 'virtual: lab time jumps from event to event (packed only)',
  hold: 'stay, and end the fault when this command ends',
  holdFor: 'stay so long, then end the fault: 500ms, 30s',
  kill: 'kill a device’s process, as if its power failed',
  start: 'start a device that is down',
  stop: 'stop a device in order',
  restart: 'stop a device and start it again',
  capture: 'record frames as pcapng: of ports (alice:eth0), of all ports of a device (alice), or of all',
  trace: 'follow packets through the functions of devices, live; all for every device',
  traceSkb: 'only this packet: DEVICE/NUMBER, as the lines show it',
  traceFilter: 'only what this holds for: point==ip_forward && ttl<60, dev==eth0, tcp_v4_rcv || kfree_skb',
  captureReading: `
Of several wire ends, every segment is there once for each end that it passed: tshark and Wireshark take the later ones
for disorder. Read one end at a time, -Y 'frame.interface_name == "alice:eth0"', or let them sort it out with
-o tcp.reassemble_out_of_order:TRUE.`,
  captureFile: 'write to this file instead of standard output',
} as const;

export const TEXT = {
  devicesReady: (lab: string, devices: number) => `${lab}: starting ${devices} devices`,
  ready: (name: string, seconds: string, count: string) => `  ${name} ready ${seconds} s  ${count}`,
  labUp: (lab: string, seconds: string) => `${lab} is up: every device ready, every wire has carrier (${seconds} s)`,
  dashboard: (url: string) => `dashboard: ${url}`,
  tryThis: 'try:',
  stopHint: 'Ctrl-C or `npx wirelab down` takes it down.',
  goingDown: (lab: string) => `${lab} is going down`,
  isDown: (lab: string) => `${lab} is down`,
  died: (device: string, how: string) => `${device} is dead (${how}); \`npx wirelab start ${device}\` brings it back`,
  gatewayDied: (how: string, again: boolean) =>
    `the gateway is dead (${how}); ${again ? 'it is started again, and devices go on meanwhile' : '`wirelab down` still takes the lab down'}`,
  alreadyUp: (lab: string) => `${lab} is up already; \`wirelab down --lab ${lab}\` takes it down`,
  stillStarting: (lab: string) => `${lab} is still coming up`,
  nothingUp: 'no lab is up; `wirelab up LAB` brings one up',
  notUp: (lab: string, known: string) => `${lab} is not up${known}`,
  severalUp: (labs: string) => `more than one lab is up (${labs}); say which with --lab NAME`,
  noAnswer: (lab: string, why: string) => `the gateway of ${lab} does not answer (${why})`,
  plugged: (wire: string) => `${wire} is plugged in`,
  unplugged: (wire: string) => `${wire} is unplugged`,
  done: { kill: 'killed', start: 'started', stop: 'stopped', restart: 'restarted', freeze: 'frozen', thaw: 'thawed' },
  fault: ({ words, wires, seed }: { words: string; wires: readonly string[]; seed: number }) =>
    words.startsWith('impair')
      ? `${words} (seed ${seed})`
      : `${words}${words.startsWith('partition') ? `: unplugged ${wires.join(', ')}` : ''}`,
  faultRow: ({ words, held }: { words: string; held: boolean }) => `${words}${held ? ' (held)' : ''}`,
  noFaults: 'no fault is in force',
  healed: (words: string) => `healed: ${words}`,
  nothingToHeal: 'nothing to heal',
  holding: (milliseconds: number | undefined) =>
    milliseconds === undefined ? 'held until Ctrl-C' : `held for ${milliseconds / 1_000} s`,
  letGo: 'healed',
  holderLost: 'the gateway went away, and the fault ends with it',
  badValue: (what: string, expected: string, found: string, hint?: string) =>
    `${what}: expected ${expected}, found "${found}"${hint === undefined ? '' : `; ${hint}`}`,
  unknownWord: (what: string, word: string, near: string | undefined) =>
    `no ${what} is called ${word}${didYouMean(near)}`,
  notTrue: (what: string, limit: string) => `${what} did not come true within ${limit}`,
  needsMatch: (word: string, dash: string) => `${dash}${word} counts the frames of a ${dash}match FILTER`,
  noRuleKnob: (knob: string, known: readonly string[], dash: string) =>
    `${dash}${knob} cannot be had for single frames; with ${dash}match: ${known.map((one) => dash + one).join(', ')}`,
  ruleDoesNothing: (known: readonly string[], dash: string) =>
    `${dash}match says which frames, not what happens to them: add ${known.map((one) => dash + one).join(', ')}`,
  unknownKnob: (word: string, near: string | undefined) => `no knob is called ${word}${didYouMean(near)}`,
  noKnob: (known: readonly string[]) => `say which knob: ${known.join(', ')} or match; or clear: true`,
  labDown: 'the lab has been taken down',
  labClosed: (lab: string) => `the lab ${lab} is closed`,
  impaired: (port: string, words: string) => `${port}  ${words === '' ? 'does nothing to frames' : words}`,
  deviceDown: (port: string) => `${port}  is down`,
  noTarget: (target: string, near: string | undefined) =>
    `no wire or wired port is called ${target}${near === undefined ? '' : `; did you mean ${near}?`}`,
  nothingToImpair: 'say which knob: --delay, --loss, --rate, … (see --help), or --clear',
  verdict: (time: number, port: string, frame: number, words: string) =>
    `${(time / 1_000_000).toFixed(6).padStart(12)} s  ${port}  frame ${frame}  ${words}`,
  verdictsMissed: (port: string, missed: number) => `... ${missed} earlier verdicts of ${port} are forgotten`,
  verdictsAnew: (port: string) => `... ${port} was switched on again, and counts its frames anew`,
  ledger: (rows: number, unaccounted: number) =>
    unaccounted === 0
      ? `every frame of ${rows} directions is accounted for`
      : `${unaccounted} frames are unaccounted for`,
  virtualNeedsPacked: 'clock virtual needs engine packed: processes live on real time',
  chaosBegins: (file: string, name: string, engine: string, seed: number) =>
    `${file}: ${name} on ${engine}, seed ${seed}`,
  stepDone: (now: number, words: string) => `${(now / 1_000_000).toFixed(3).padStart(10)} s  ok      ${words}`,
  stepFailed: (now: number, words: string) => `${(now / 1_000_000).toFixed(3).padStart(10)} s  FAILED  ${words}`,
  chaosPassed: (steps: number) => `passed: ${steps} step${steps === 1 ? '' : 's'}`,
  repeat: (seed: number, rest: string) => `repeat it with: wirelab chaos run --seed ${seed} ${rest}`,
  badSeeds: (most: number, found: string) =>
    `--seeds: expected FIRST..LAST, such as 1..200, each at most ${most}, found "${found}"`,
  seedFailed: (seed: number, why: string, folder: string) => `seed ${seed} failed: ${why} (kept in ${folder})`,
  sweepPassed: (count: number) => `passed: all ${count} seeds`,
  sweepFailed: (failed: number, count: number) => `${failed} of ${count} seeds failed`,
  notBack: (device: string) => `${device} was started, and does not answer yet`,
  wentDown: (device: string) => `${device} went down`,
  capturing: (ports: number, where: string) =>
    `capturing ${ports} port${ports === 1 ? '' : 's'} to ${where}; Ctrl-C ends it`,
  /** A packet's comment: its number in its direction on the wire, by which journeys cite it. */
  frameNumber: (number: number) => `frame ${number}`,
  captured: (frames: number, lost: number) =>
    `${frames} frame${frames === 1 ? '' : 's'} captured${lost > 0 ? `, ${lost} lost` : ''}`,
  tracing: (devices: string, missing: readonly string[]) =>
    `tracing ${devices}${missing.length > 0 ? ` (no answer from ${missing.join(', ')})` : ''}; Ctrl-C ends it`,
  eventsLost: (count: number) => `... ${count} events lost`,
  traced: (shown: number, lost: number) => `${shown} events${lost > 0 ? `, ${lost} lost` : ''}`,
  captureToTerminal:
    'capture writes binary pcapng: give a file with -w, or pipe it, as in `wirelab capture all | tshark -r -`',
  portTaken: (problem: string, who: string) => `${problem} (it is for ${who}); try another --base-port`,
  noProgram: "missing required argument 'cmd'",
  badNumber: (option: string, least: number, most: number, found: string) =>
    `${option}: expected a whole number from ${least} to ${most}, found ${found}`,
  labGood: (lab: string, devices: number, wires: number) => `${lab}: good, ${devices} devices and ${wires} wires`,
  noLogs: (device: string) => `nothing logged by ${device}`,
  noDocker: 'docker with its compose plugin is needed for --docker, and does not answer',
} as const;
