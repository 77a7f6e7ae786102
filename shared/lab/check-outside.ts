/**
 * What a device needs from outside the lab file: programs to run, kernel settings, files in the lab's folder. What is not
 * handed in is not checked.
 */
import { closest } from './closest.ts';
import { deviceLabel, type LabDevice } from './model.ts';
import { didYouMean, type Problems, type Span } from './problem.ts';
import { cut } from './values.ts';

export type FileKind = 'file' | 'folder';

/** What of shared/net/sysctl.ts is needed here: the names, and whether a value may be set (an errno when not). */
export interface SysctlTable {
  names(): readonly string[];
  getText(name: string): string | undefined;
  set(name: string, text: string): string | undefined;
}

/** The world around a lab file, as far as it is handed in. */
export interface Outside {
  /** Names of the programs that `run` may start; not checked when left out. */
  readonly programs?: Iterable<string>;
  /** A kernel's settings (a host's `sysctl`), to try names and values on; not checked when left out. */
  readonly sysctl?: SysctlTable;
  /** What is at a path inside the lab's folder; not checked when left out. */
  readonly fileAt?: (path: string) => FileKind | undefined;
  /** Names in a folder of the lab, for proposals. */
  readonly filesIn?: (path: string) => readonly string[];
}

/** What a device needs from outside the file: programs, sysctls, files. */
export function checkOutside(device: LabDevice, options: Outside, problems: Problems): void {
  const label = deviceLabel(device);
  if (options.programs !== undefined) {
    const programs = [...options.programs].sort();
    for (const { value, span } of device.run) {
      const program = value[0] ?? '';
      if (!programs.includes(program)) {
        problems.unknown(span, `unknown program "${cut(program)}" in run of ${label}`, program, programs);
      }
    }
  }
  if (options.sysctl !== undefined) checkSysctls(device, options.sysctl, problems);
  if (options.fileAt === undefined) return;
  const fileAt = options.fileAt;
  for (const { file } of device.zones) missing(file, 'file', `a zone of ${label}`, { ...options, fileAt }, problems);
  if (device.hints !== undefined) missing(device.hints, 'file', `hints of ${label}`, { ...options, fileAt }, problems);
  for (const { value, span } of device.run) {
    const site = siteOf(value);
    if (site === undefined) continue;
    if (site.startsWith('/') || site.split('/').includes('..')) {
      problems.add(span, `"${cut(site)}" for httpd of ${label} is not in the lab's folder`, 'a folder in it');
    } else {
      missing({ value: site, span }, 'folder', `httpd of ${label}`, { ...options, fileAt }, problems);
    }
  }
}

function checkSysctls(device: LabDevice, table: SysctlTable, problems: Problems): void {
  const label = deviceLabel(device);
  for (const { key, value } of device.sysctl) {
    // The table is of a kernel without ports: what one port has, `default` has, too.
    const port = /^(net\.ipv4\.(?:conf|neigh)\.)(eth[0-9]+)(\..+)$/.exec(key.value);
    if (port !== null && !device.ports.has(port[2] ?? '')) {
      const message = `${label} has no port "${port[2]}" for the sysctl ${key.value}`;
      problems.unknown(key.span, message, port[2] ?? '', device.ports.keys());
      continue;
    }
    const name = port === null ? key.value : `${port[1]}default${port[3]}`;
    const now = table.getText(name);
    const errno = table.set(name, value.value);
    if (errno === 'ENOENT') {
      const near = closest(key.value, table.names());
      const hint = near === undefined ? undefined : didYouMean(near);
      problems.add(key.span, `unknown sysctl "${cut(key.value)}" in ${label}`, 'a name that sysctl -a lists', hint);
    } else if (errno !== undefined) {
      const message = `impossible value "${cut(value.value)}" for ${key.value} of ${label} (${errno})`;
      problems.add(value.span, message, errno === 'EPERM' ? 'no value: it can only be read' : `a value such as ${now}`);
    }
  }
}

/** The folder that a `httpd FOLDER` serves. */
function siteOf([program, ...words]: readonly string[]): string | undefined {
  return program === 'httpd' ? words.find((word) => !word.startsWith('-') && /[^0-9]/.test(word)) : undefined;
}

function missing(
  { value: path, span }: { readonly value: string; readonly span: Span },
  wanted: FileKind,
  what: string,
  { fileAt, filesIn }: Outside & Required<Pick<Outside, 'fileAt'>>,
  problems: Problems,
): void {
  const found = fileAt(path);
  if (found === wanted) return;
  const folder = path.replace(/\/+$/, '').replace(/[^/]*$/, '');
  const names = (filesIn?.(folder) ?? []).map((name) => folder + name);
  const near = closest(
    path,
    names.filter((name) => name !== path),
  );
  const message =
    found === undefined
      ? `there is no ${wanted} "${cut(path)}" for ${what}`
      : `"${cut(path)}" for ${what} is a ${found}`;
  problems.add(span, message, `a ${wanted} in the lab's folder`, near === undefined ? undefined : didYouMean(near));
}
