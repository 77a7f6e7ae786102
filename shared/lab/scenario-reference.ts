/** The reference of scenario files for people, in Markdown, made from the table that the checker reads by. */

import { STEPS, type StepSpec } from './scenario-steps.ts';
import { KNOBS } from './schema.ts';

export function scenarioReference(): string {
  const rows = Object.entries<StepSpec>(STEPS).map(([verb, { about, value, options, needs = [] }]) => {
    const names = Object.keys(options).filter((name) => !Object.hasOwn(KNOBS, name) || name === 'match');
    const knobs = Object.keys(options).some((name) => name === 'jitter') ? ['the knobs of a wire'] : [];
    const listed = names.map((name) => (needs.includes(name) ? `**${name}**` : name));
    return `| \`${verb}\` | ${about} | ${value.expected.replaceAll('|', '\\|')} | ${[...knobs, ...listed].join(', ')} |`;
  });
  const table = ['| Step | | Value | Options (those it needs in bold) |\n|---|---|---|---|', ...rows];
  return `${[HEAD, ...table].join('\n')}\n${TAIL}\n${knobTable()}\n${SWEEP}`;
}

/** Whoever copied the folder has no lab reference beside it. */
function knobTable(): string {
  const rows = Object.entries(KNOBS)
    .filter(([knob]) => knob !== 'match')
    .map(([knob, { about, type }]) => `| \`${knob}\` | ${about} | ${type.expected.replaceAll('|', '\\|')} |`);
  return ['| Knob | | Value, or off |\n|---|---|---|', ...rows].join('\n');
}

const HEAD = `<!-- Made from shared/lab/scenario-steps.ts by npm run generate. -->
# Scenarios

\`wirelab chaos run FILE\` brings a lab up for itself, plays the steps one after the other and takes it down: status 0 when all held, 1 when a check failed, 2 for a bad file, which is told with line and column.
At the top stand \`lab\` (a name, or a path from the file's folder that begins with a dot), \`steps\`, and if wanted \`description\`, \`seed\`, \`engine\` (processes, docker, packed) and \`clock\` (real; virtual with
packed). A step is a mapping whose first key is its verb; times are lab time. [page.chaos.yaml](page.chaos.yaml) is one to begin with.
`;

const TAIL = `
Faults with \`for\` are healed after that time while the next steps go on; others stay until \`heal\` or the end. Checks (\`exec\`, \`finish\`, \`fetch\`, \`carrier\`, \`frames\`) wait up to
\`within\`. A wave is \`constant\` at \`from\`, a \`ramp\` to \`to\`, \`square\` between the two (\`period\`, \`duty\`: the share at \`to\`), or \`random\` between them, from the seed; it moves \`every\` so often.

\`\`\`yaml
  - wave: alice:eth0--sw:p1
    knob: loss
    shape: ramp
    from: 0%
    to: 20%
    over: 10s
\`\`\`

With \`match: FILTER\` an \`impair\` does its \`delay\`, \`loss\`, \`duplicate\` or \`corrupt\` only to frames that fit: \`nth: 2\` to the second of them, \`count: 3\` to so many from there on, \`every: 10\` to each tenth.

## The knobs of a wire
`;

const SWEEP = `
## Many seeds

\`wirelab chaos sweep --seeds 1..200 FILE\` plays the scenario once from each seed, packed unless the file or \`--engine\` says otherwise. Of a seed that fails it keeps \`run.txt\` (each step and what was found),
\`verdicts.txt\` (what wires did to which frames) and \`frames.pcapng\` (for Wireshark) in \`chaos-failures/seed-N\`, and ends with status 1 and the command that repeats the first of them.
`;
