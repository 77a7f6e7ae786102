/**
 * A route of the lab file, in the words of ip-route(8): `203.0.113.0/24 via 10.0.0.1 metric 20`. Left out: types such as
 * blackhole, tables, multipath.
 */
import { formatIpv4, type Ipv4, networkOf, parseIpv4 } from '../header/address.ts';
import type { Cidr, LabRoute } from './model.ts';
import type { ScalarNode } from './parse.ts';
import { PREFIX_MAX } from './port-value.ts';
import { didYouMean, type Located, type Span } from './problem.ts';
import { parseWhole } from './units.ts';
import { addressType, cut, describe, partOf, type Reading, type ValueType, whole } from './values.ts';
import { splitWords } from './words.ts';

const METRIC_MAX = 0xffff_ffff;
const ROUTE_EXPECTED = 'a route as "203.0.113.0/24 via 10.0.0.1", or "default via …", then "dev PORT" or "metric N"';

/** One route, as `ip route add` takes it. */
export const routeType: ValueType<LabRoute> = {
  expected: ROUTE_EXPECTED,
  json: { type: 'string', pattern: '^(default|[0-9./]+)( (via|dev|metric) [^ ]+)+$' },
  read(node, reading) {
    const { problems, source, what } = reading;
    const words = node.what === 'scalar' ? splitWords(node.text) : undefined;
    if (node.what !== 'scalar' || words === undefined || words.length === 0) {
      problems.add(node.span, `${what} is ${describe(node)}`, ROUTE_EXPECTED);
      return undefined;
    }
    const spanOf = (index: number): Span => {
      const word = words[index];
      return word === undefined ? node.span : partOf(node, source, word.start, word.end);
    };
    const to = readTarget(words[0]?.text ?? '', spanOf(0), reading);
    if (to === undefined) return undefined;
    let via: Located<Ipv4> | undefined;
    let dev: Located<string> | undefined;
    let metric = 0;
    for (let i = 1; i < words.length; i += 2) {
      const option = words[i]?.text ?? '';
      const value = words[i + 1]?.text;
      const span = spanOf(Math.min(i + 1, words.length - 1));
      if (!['via', 'dev', 'metric'].includes(option)) {
        problems.unknown(spanOf(i), `unknown word "${cut(option)}" in ${what}`, option, ['via', 'dev', 'metric']);
        return undefined;
      }
      if (value === undefined) {
        problems.add(spanOf(i), `nothing follows "${option}" in ${what}`, ROUTE_EXPECTED);
        return undefined;
      }
      if (option === 'dev') dev = { value, span };
      else if (option === 'via') {
        const address = addressType.read(scalarAt(value, span), { ...reading, what: `via of ${what}` });
        if (address === undefined) return undefined;
        via = { value: address, span };
      } else {
        const number = metricType.read(scalarAt(value, span), { ...reading, what: `metric of ${what}` });
        if (number === undefined) return undefined;
        metric = number;
      }
    }
    if (via === undefined && dev === undefined) {
      problems.add(node.span, `the route "${cut(node.text)}" of ${what} leads nowhere`, ROUTE_EXPECTED);
      return undefined;
    }
    return { to: to === 'default' ? undefined : to, via, dev, metric };
  },
};

const metricType = whole(0, METRIC_MAX);

function scalarAt(text: string, span: Span): ScalarNode {
  return { what: 'scalar', text, empty: false, span };
}

function readTarget(text: string, span: Span, { problems, what }: Reading): Cidr | 'default' | undefined {
  if (text === 'default') return 'default';
  const [addressText = '', prefixText = '32', ...more] = text.split('/');
  const address = parseIpv4(addressText);
  const prefix = parseWhole(prefixText, 0, PREFIX_MAX);
  const expected = 'default, or a network such as 203.0.113.0/24';
  if (address === undefined || prefix === undefined || more.length > 0) {
    const hint = text !== '' && 'default'.startsWith(text) ? didYouMean('default') : undefined;
    problems.add(span, `impossible target "${cut(text)}" in ${what}`, expected, hint);
    return undefined;
  }
  const network = networkOf(address, prefix);
  if (network !== address) {
    const hint = didYouMean(`${formatIpv4(network)}/${prefix}`);
    problems.add(span, `${text} in ${what} has bits set to the right of its prefix`, 'a network address', hint);
    return undefined;
  }
  return prefix === 0 ? 'default' : { address, prefix };
}
