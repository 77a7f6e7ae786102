/**
 * Values of the lab file that are words: a command line, a domain, a zone, the names of a line of the hosts file.
 */
import type { LabNode } from './parse.ts';
import { describe, scalarType, type ValueType } from './values.ts';
import { splitWords } from './words.ts';

const COMMAND_EXPECTED = 'a command line, a program and its arguments';

/** A command line into words. Whether there is such a program is checked with the whole device. */
export const commandType: ValueType<readonly string[]> = scalarType(
  COMMAND_EXPECTED,
  { type: 'string', minLength: 1 },
  (text) => {
    const words = splitWords(text);
    return words === undefined || words.length === 0 ? undefined : words.map((word) => word.text);
  },
  (text) => (splitWords(text) === undefined ? 'a quote is not closed' : undefined),
);

const HOST_NAME =
  /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$/;
const DOMAIN_CHARACTERS_MAX = 255;

export function isDomainName(text: string): boolean {
  return text.length <= DOMAIN_CHARACTERS_MAX && HOST_NAME.test(text);
}

export const domainType: ValueType<string> = scalarType(
  'a domain name such as server.com',
  { type: 'string' },
  (text) => (isDomainName(text) ? text : undefined),
);

/** A zone's name: a domain, or `.` for the root. */
export const originType: ValueType<string> = scalarType('a zone such as server.com, or . for the root', {}, (text) =>
  text === '.' || isDomainName(text) ? text : undefined,
);

/** Names of one line of the hosts file: `www web`, or a list. */
export const hostNamesType: ValueType<readonly string[]> = {
  expected: 'one or more host names',
  json: { type: ['string', 'array'], items: { type: 'string' } },
  read(node, reading) {
    const nodes: readonly LabNode[] = node.what === 'list' ? node.items : [node];
    const names: string[] = [];
    for (const item of nodes) {
      const text = item.what === 'scalar' && !item.empty ? item.text.split(/\s+/) : [];
      if (text.length === 0 || !text.every(isDomainName)) {
        reading.problems.add(item.span, `${reading.what} is ${describe(item)}`, 'one or more host names');
        return undefined;
      }
      names.push(...text);
    }
    return names;
  },
};
