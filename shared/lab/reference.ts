/**
 * The reference of the lab file for people, in Markdown, made from the same table as the checker: labs/README.md.
 */
import { PORT_KEYS } from './port-value.ts';
import { DEVICE_KEYS, DEVICE_KINDS, type DeviceKeySpec, type KeySpec, KNOBS, PORT_SPEC, TOP_KEYS } from './schema.ts';

export interface LabRow {
  readonly name: string;
  readonly description: string;
  readonly devices: number;
}

export function labReference(labs: readonly LabRow[]): string {
  const top = Object.entries<KeySpec>(TOP_KEYS).map(([key, { about, type }]) => row(code(key), about, type.expected));
  const devices = Object.entries<DeviceKeySpec>(DEVICE_KEYS).map(([key, { kinds, about, type }]) =>
    row(code(key), owners(kinds), about, type.expected),
  );
  const port = row(code('ethN'), owners(PORT_SPEC.kinds), PORT_SPEC.about, PORT_SPEC.type.expected);
  const ports = Object.entries(PORT_KEYS).map(([key, { about }]) => row(code(key), about));
  const knobs = Object.entries<KeySpec>(KNOBS).map(([key, { about, type }]) => row(code(key), about, type.expected));
  return [
    '<!-- Made from shared/lab/schema.ts by npm run generate; edit the text in shared/lab/reference.ts. -->',
    INTRODUCTION,
    table(
      ['Lab', 'Devices', ''],
      labs.map((lab) => row(`[${lab.name}](${lab.name}/)`, String(lab.devices), lab.description)),
    ),
    FILE,
    table(
      ['Key', '', 'Value'],
      [
        ...top,
        row(code('devices'), 'Every device by its name.', 'a mapping from names to devices'),
        row(code('wires'), 'Which port is joined to which.', 'a list of wires'),
      ],
    ),
    DEVICES,
    table(['Key', 'Kinds', '', 'Value'], [devices[0] ?? '', port, ...devices.slice(1)]),
    'A port may be written out, `eth0: { address: [10.0.0.1/24, 10.0.0.2/24], mtu: 9000 }`:',
    table(['Key', ''], ports),
    WIRES,
    table(['Knob', '', 'Value'], knobs),
    END,
  ].join('\n\n');
}

function owners(kinds: readonly string[]): string {
  return kinds.length === DEVICE_KINDS.length ? 'all' : kinds.join(', ');
}

function code(text: string): string {
  return `\`${text}\``;
}

function row(...cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function table(head: readonly string[], rows: readonly string[]): string {
  return [row(...head), `|${head.map(() => '---').join('|')}|`, ...rows].join('\n');
}

const INTRODUCTION = `# Labs

A lab is a folder with a \`lab.yaml\`: which devices there are, and which port is wired to which. \`wirelab up NAME\` brings one of these up,
\`wirelab up ./my/lab.yaml\` one of your own; \`wirelab check\` tells everything that is wrong with a file at once, with line, column and the closest word.`;

const FILE = `## The lab file

\`\`\`yaml
name: two-hosts
devices:
  alice: { kind: host, eth0: 10.0.0.1/24 }
  bob:   { kind: host, eth0: 10.0.0.2/24, run: [ httpd site/ ] }
  sw:    { kind: switch }
wires:
  - alice:eth0 -- sw:p1
  - bob:eth0 -- sw:p2: { delay: 5ms, loss: 1% }
\`\`\`

YAML 1.2. Editors that know JSON Schema complete and check it with \`shared/lab/lab.schema.json\`, when the file begins with
\`# yaml-language-server: $schema=../../shared/lab/lab.schema.json\`. Quantities carry their unit: \`5ms\`, \`1%\`, \`100mbit\`.

At the top:`;

const DEVICES = `### Devices

A name is letters, digits, \`-\` and \`_\`. Keys that match \`eth[0-9]+\` are ports; a switch has \`p1\` to \`p8\`, or as many as \`ports:\` says. MAC addresses are made
from the names of lab, device and port, so they are the same every time.`;

const WIRES = `### Wires

\`DEVICE:PORT -- DEVICE:PORT\`, alone or with what the wire does to frames, in the words of tc-netem(8). Both directions share the values unless they stand
under \`"->"\` (from the first-named end to the second) or \`"<-"\`:

\`\`\`yaml
  - home:eth0 -- isp:eth0: { delay: 8ms, "->": { rate: 10mbit }, "<-": { rate: 100mbit } }
\`\`\`

Which frame is lost depends on the lab's \`seed\`, the wire, the direction and the frame's number alone, so a run repeats.`;

const END = `## Containers

Every lab has a \`compose.yaml\`, generated from its lab file (\`npm run generate\`, or \`wirelab compose LAB\`), and committed; a test holds the two together. The one at the
top of the project is url-to-page's.
`;
