/** What curl says of a transfer beside the bytes: --write-out variables and the progress meter (tool_writeout.c, progress.c). */
import { right } from './text.ts';

/** What one transfer came to; times in seconds of lab time from its start. */
export interface TransferReport {
  url: string;
  effectiveUrl: string;
  method: string;
  status: number;
  httpVersion: string;
  contentType: string;
  redirectUrl: string;
  redirects: number;
  connections: number;
  headerBytes: number;
  requestBytes: number;
  bodyBytes: number;
  uploadBytes: number;
  contentLength: number | undefined;
  remoteIp: string;
  remotePort: number;
  localIp: string;
  localPort: number;
  timeNameLookup: number;
  timeConnect: number;
  timePretransfer: number;
  timeStartTransfer: number;
  timeRedirect: number;
  timeTotal: number;
  exitCode: number;
  errorMessage: string;
  filename: string;
}

const time = (seconds: number): string => seconds.toFixed(6);
const speed = (bytes: number, seconds: number): number => (seconds > 0 ? Math.floor(bytes / seconds) : 0);

const VARIABLES: Readonly<Record<string, (report: TransferReport) => string | number>> = {
  content_type: (r) => r.contentType,
  errormsg: (r) => r.errorMessage,
  exitcode: (r) => r.exitCode,
  filename_effective: (r) => r.filename,
  http_code: (r) => String(r.status).padStart(3, '0'),
  http_version: (r) => r.httpVersion,
  local_ip: (r) => r.localIp,
  local_port: (r) => r.localPort,
  method: (r) => r.method,
  num_connects: (r) => r.connections,
  num_headers: (r) => r.headerBytes,
  num_redirects: (r) => r.redirects,
  redirect_url: (r) => r.redirectUrl,
  remote_ip: (r) => r.remoteIp,
  remote_port: (r) => r.remotePort,
  response_code: (r) => String(r.status).padStart(3, '0'),
  scheme: (r) => (r.effectiveUrl.split(':')[0] ?? '').toUpperCase(),
  size_download: (r) => r.bodyBytes,
  size_header: (r) => r.headerBytes,
  size_request: (r) => r.requestBytes,
  size_upload: (r) => r.uploadBytes,
  speed_download: (r) => speed(r.bodyBytes, r.timeTotal),
  speed_upload: (r) => speed(r.uploadBytes, r.timeTotal),
  time_appconnect: () => time(0),
  time_connect: (r) => time(r.timeConnect),
  time_namelookup: (r) => time(r.timeNameLookup),
  time_pretransfer: (r) => time(r.timePretransfer),
  time_redirect: (r) => time(r.timeRedirect),
  time_starttransfer: (r) => time(r.timeStartTransfer),
  time_total: (r) => time(r.timeTotal),
  url: (r) => r.url,
  url_effective: (r) => r.effectiveUrl,
};

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\' };

/** The text of -w; an unknown variable is told on standard error and left out. */
export function writeOut(format: string, report: TransferReport): { out: string; err: string } {
  let err = '';
  const out = format.replace(/%\{([^}]*)\}|%%|\\([ntr\\])/g, (whole, name?: string, letter?: string) => {
    if (whole === '%%') return '%';
    if (letter !== undefined) return ESCAPES[letter] ?? letter;
    const variable = VARIABLES[name ?? ''];
    if (variable !== undefined) return String(variable(report));
    err += `curl: unknown --write-out variable: '${name}'\n`;
    return '';
  });
  return { out, err };
}

export const METER_HEAD =
  '  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n' +
  '                                 Dload  Upload   Total   Spent    Left  Speed\n';

/** Five characters: 12345, 9999k, 12.3M, 123M … (max5data). */
function five(bytes: number): string {
  if (bytes < 100_000) return right(bytes, 5);
  if (bytes < 10_000 * 1_024) return `${right(Math.floor(bytes / 1_024), 4)}k`;
  if (bytes < 100 * 1_048_576) return `${right((Math.floor((bytes * 10) / 1_048_576) / 10).toFixed(1), 4)}M`;
  return `${right(Math.floor(bytes / 1_048_576), 4)}M`;
}

function clock(seconds: number): string {
  if (seconds <= 0) return '--:--:--';
  const two = (n: number): string => String(Math.floor(n)).padStart(2, '0');
  return `${right(Math.floor(seconds / 3_600), 2)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** One line of the meter, as it stands after `spent` seconds. */
export function meterLine(total: number | undefined, received: number, sent: number, spent: number): string {
  const rate = speed(received, spent);
  const whole = total ?? 0;
  const percent = (part: number, of: number): number => (of > 0 ? Math.floor((part / of) * 100) : 0);
  const totalTime = whole > 0 && rate > 0 ? whole / rate : 0;
  return (
    `${right(percent(received + sent, whole + sent), 3)} ${five(whole + sent)}  ${right(percent(received, whole), 3)} ${five(received)}` +
    `  ${right(sent > 0 ? 100 : 0, 3)} ${five(sent)}  ${five(rate)}  ${five(speed(sent, spent))}` +
    ` ${clock(totalTime)} ${clock(spent)} ${clock(totalTime - spent)} ${five(rate)}`
  );
}
