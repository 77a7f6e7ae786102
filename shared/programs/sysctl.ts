/** sysctl(8) of procps 4.0: read and set kernel parameters. Left out: --system; -p reads /etc/sysctl.conf or a file. */
import { errorText } from '../net/errno.ts';
import type { ProgramContext, Syscalls } from '../net/syscalls.ts';
import { errnoOf, Failure, program } from './failure.ts';
import { getopt } from './options.ts';
import { linesOf } from './text.ts';

const SYSCTL_USAGE = `
Usage:
 sysctl [options] [variable[=value] ...]

Options:
  -a, --all            display all variables
  -A                   alias of -a
  -X                   alias of -a
  -b, --binary         print value without new line
  -e, --ignore         ignore unknown variables errors
  -N, --names          print variable names without values
  -n, --values         print only values of the given variable(s)
  -p, --load[=<file>]  read values from file
  -f                   alias of -p
  -r, --pattern <expression>
                       select setting that match expression
  -q, --quiet          do not echo variable set
  -w, --write          enable writing a value to variable

 -h, --help     display this help and exit
 -V, --version  output version information and exit

For more details see sysctl(8).
`;

const LONG_OPTIONS: Readonly<Record<string, string>> = {
  all: 'a',
  binary: 'b',
  ignore: 'e',
  names: 'N',
  values: 'n',
  load: 'p',
  pattern: 'r:',
  quiet: 'q',
  write: 'w',
  help: 'h',
  version: 'V',
};

interface SysctlOptions {
  readonly has: (name: string) => boolean;
  readonly pattern: RegExp | undefined;
}

export const sysctl = program(async (context) => {
  const { argv, out } = context;
  const line = getopt(argv, 'aAXbdeNnpfr:qwxohV', LONG_OPTIONS);
  if (line.error !== undefined) {
    await context.err(`${line.error}\n`);
    await out(SYSCTL_USAGE);
    return 0;
  }
  if (argv.length === 1) throw new Failure(1, SYSCTL_USAGE);
  const has = (name: string) => line.options.some((option) => option.name === name);
  const expression = line.options.findLast((option) => option.name === 'r')?.value;
  const options = { has, pattern: expression === undefined ? undefined : patternOf(expression) };
  if (has('h') || has('d')) {
    await out(SYSCTL_USAGE);
    return 0;
  }
  if (has('V')) {
    await out('sysctl from procps-ng 4.0.2\n');
    return 0;
  }
  if (has('a') || has('A') || has('X')) return showTree(context, '', options);
  if (has('p') || has('f')) return loadFile(context, line.operands[0] ?? '/etc/sysctl.conf', options);
  if (line.operands.length === 0) {
    if (expression !== undefined) return showTree(context, '', options);
    throw new Failure(1, "sysctl: no variables specified\nTry `sysctl --help' for more information.");
  }
  return handleOperands(context, line.operands, options);
});

function patternOf(expression: string): RegExp {
  try {
    return new RegExp(expression);
  } catch {
    throw new Failure(1, `sysctl: invalid pattern: ${expression}`);
  }
}

/** The status is how many failed, as far as that fits. */
async function handleOperands(
  context: ProgramContext,
  operands: readonly string[],
  options: SysctlOptions,
): Promise<number> {
  let failures = 0;
  for (const operand of operands) {
    if (operand.includes('=') || options.has('w')) failures += (await setOne(context, operand, options)) ? 0 : 1;
    else failures += (await showOne(context, dotted(operand), options)) ? 0 : 1;
  }
  return Math.min(failures, 255);
}

/** Slashes separate as well as dots; when a slash comes first they are what separates. */
function dotted(name: string): string {
  const slash = name.indexOf('/');
  const dot = name.indexOf('.');
  if (slash < 0 || (dot >= 0 && dot < slash)) return name;
  return name.replace(/[./]/g, (sign) => (sign === '/' ? '.' : '/'));
}

async function setOne(context: ProgramContext, operand: string, options: SysctlOptions): Promise<boolean> {
  const { sys } = context;
  const equals = operand.indexOf('=');
  if (equals < 0) {
    await context.err('sysctl: command line(0): invalid syntax, continuing...\n');
    return false;
  }
  const name = dotted(operand.slice(0, equals).trim());
  const value = operand.slice(equals + 1).trim();
  if (sys.sysctl(name) === undefined) return unknown(context, name, options);
  try {
    sys.setSysctl(name, value);
  } catch (error) {
    await context.err(`sysctl: setting key "${name}": ${errorText(errnoOf(error))}\n`);
    return false;
  }
  if (!options.has('q')) await context.out(lineOf(name, value, options));
  return true;
}

async function unknown(context: ProgramContext, name: string, options: SysctlOptions): Promise<boolean> {
  if (options.has('e')) return true;
  await context.err(`sysctl: cannot stat /proc/sys/${name.replaceAll('.', '/')}: No such file or directory\n`);
  return false;
}

/** A variable, or everything below a name. */
async function showOne(context: ProgramContext, name: string, options: SysctlOptions): Promise<boolean> {
  const value = context.sys.sysctl(name);
  if (value !== undefined) {
    await context.out(lineOf(name, value, options));
    return true;
  }
  const below = namesBelow(context.sys, name);
  if (below.length === 0) return unknown(context, name, options);
  await showTree(context, name, options);
  return true;
}

function namesBelow(sys: Syscalls, name: string): readonly string[] {
  return [...sys.sysctls()].filter((one) => name === '' || one.startsWith(`${name}.`)).sort();
}

async function showTree(context: ProgramContext, name: string, options: SysctlOptions): Promise<number> {
  let text = '';
  for (const one of namesBelow(context.sys, name)) {
    if (options.pattern !== undefined && !options.pattern.test(one)) continue;
    text += lineOf(one, context.sys.sysctl(one) ?? '', options);
  }
  await context.out(text);
  return 0;
}

function lineOf(name: string, value: string, { has }: SysctlOptions): string {
  if (has('N')) return `${name}\n`;
  if (has('b')) return value;
  return has('n') ? `${value}\n` : `${name} = ${value}\n`;
}

async function loadFile(context: ProgramContext, path: string, options: SysctlOptions): Promise<number> {
  const settings = linesOf(context.sys, path)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^[#;]/.test(line));
  return handleOperands(
    context,
    settings.filter((line) => line.includes('=')),
    options,
  );
}
