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
  return `${[HEAD, '| Step | | Value | Options (those it needs in bold) |\n|---|---|---|---|', ...rows].join('\n')}\n${TAIL}`;
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
`;
