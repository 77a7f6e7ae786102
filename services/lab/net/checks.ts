/**
 * What a test says to wirelab, checked at the door. A test may be JavaScript, or read its values from somewhere: a slip is
 * an error that says what was expected, never another lab, another clock, or a knob that stayed where it was.
 */
import { EmuError } from '../../../shared/device/errors.ts';
import { closest } from '../../../shared/lab/closest.ts';
import { SCENARIO_CLOCKS, SCENARIO_ENGINES } from '../../../shared/lab/engines.ts';
import { delayHint } from '../../../shared/lab/knob-hint.ts';
import { DELAY_EXPECTED, parseDelay } from '../../../shared/lab/units.ts';
import { splitWords } from '../../../shared/lab/words.ts';
import { changeOf, KNOB_WORDS } from '../knobs.ts';
import { TEXT } from '../text.ts';
import type { Knobs, LabOptions } from './types.ts';

const OPTIONS = ['engine', 'clock', 'seed', 'programs', 'output'];
const SEED_MAX = 0xffff_ffff;

export function badRequest(message: string): EmuError {
  return new EmuError('EMU_BAD_REQUEST', message);
}

/** A value in a message, short. */
function shown(value: unknown): string {
  const text = typeof value === 'function' ? 'a function' : (JSON.stringify(value) ?? 'undefined');
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** Options in a test are words, too: one that is none of these is a slip. */
export function knownWords(what: string, options: object, known: readonly string[]): void {
  const stranger = Object.keys(options).find((word) => !known.includes(word));
  if (stranger !== undefined) throw badRequest(TEXT.unknownWord(what, stranger, closest(stranger, known)));
}

/** Everything that `lab()` was told. */
export function checkLab(nameOrPath: unknown, options: unknown): void {
  if (typeof nameOrPath !== 'string' || nameOrPath.trim() === '') {
    throw badRequest(`expected a lab's name or the path of a lab file, found ${shown(nameOrPath)}`);
  }
  if (typeof options !== 'object' || options === null) throw badRequest(`expected options, found ${shown(options)}`);
  knownWords('option of a lab', options, OPTIONS);
  const { engine = 'processes', clock = 'real', seed, programs, output } = options as LabOptions;
  oneOf('engine', engine, SCENARIO_ENGINES);
  oneOf('clock', clock, SCENARIO_CLOCKS);
  if (seed !== undefined && !(Number.isInteger(seed) && seed >= 0 && seed <= SEED_MAX)) {
    throw badRequest(`seed: expected a whole number from 0 to ${SEED_MAX}, found ${shown(seed)}`);
  }
  if (engine === 'packed') return;
  if (clock === 'virtual') throw badRequest(TEXT.virtualNeedsPacked);
  if (programs !== undefined || output !== undefined) throw badRequest('programs and output need engine packed');
}

function oneOf(what: string, word: string, known: readonly string[]): void {
  if (!known.includes(word)) throw badRequest(TEXT.unknownWord(what, word, closest(String(word), known)));
}

/** A time in words, as microseconds. */
export function micros(time: string, what = 'a time to wait'): number {
  const value = parseDelay(String(time));
  if (value === undefined) throw badRequest(TEXT.badValue(what, DELAY_EXPECTED, time, delayHint(String(time))));
  return value;
}

/** What `impair` was told, as the gateway is asked. */
export function impairmentOf(asked: Knobs) {
  if (typeof asked !== 'object' || asked === null) {
    throw badRequest(`expected knobs such as { loss: '5%' }, found ${shown(asked)}`);
  }
  const { clear = false, ...knobs } = asked;
  if (typeof clear !== 'boolean') throw badRequest(`clear: expected true or false, found ${shown(clear)}`);
  const given = Object.entries(knobs).filter(([, value]) => value !== undefined);
  // JavaScript may say 5 where it means 5 of something: it is told like the word.
  const impairment = changeOf(Object.fromEntries(given.map(([knob, value]) => [knob, String(value)])), '');
  if (!clear && Object.keys(impairment).length === 0) throw badRequest(TEXT.noKnob(Object.keys(KNOB_WORDS)));
  return { impairment, clear };
}

/** A program and its arguments; one text alone is a line of words. */
export function argvOf(words: readonly string[]): readonly string[] {
  const stray = words.find((word) => typeof word !== 'string');
  if (stray !== undefined) {
    throw badRequest(`expected a program and its arguments, each a text, found ${shown(stray)}`);
  }
  const [line = ''] = words;
  const argv = words.length === 1 ? splitWords(line)?.map(({ text }) => text) : words;
  if (argv === undefined) throw badRequest(`a quote is not closed: ${line}`);
  if (argv.length === 0 || argv[0] === '') throw badRequest('expected a program and its arguments, found nothing');
  return argv;
}

export function checkGroups(groups: readonly unknown[]): void {
  if (groups.length === 0 || groups.some((group) => !Array.isArray(group) || group.length === 0)) {
    throw badRequest("expected groups of devices, such as partition(['alice', 'bob'], ['www'])");
  }
}
