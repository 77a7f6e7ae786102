/**
 * URLs as people type them (WHATWG URL, which Node has): scheme, server name, port, path. A scheme left out is http, a
 * path left out is `/`, and the default port is the scheme's.
 */
import { type Ipv4, parseIpv4 } from '../header/address.ts';

const PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

export interface ParsedUrl {
  /** As it is asked for and kept in caches: normal form, no fragment. */
  readonly href: string;
  /** Without the colon. */
  readonly scheme: string;
  readonly host: string;
  /** The host itself when it is an address. */
  readonly address: Ipv4 | undefined;
  readonly port: number;
  /** Path and query. */
  readonly path: string;
  /** The Host header: with the port unless it is the scheme's. */
  readonly authority: string;
  readonly user: string;
  readonly password: string;
}

/** Undefined for what is no URL. */
export function parseUrl(text: string, base?: string): ParsedUrl | undefined {
  const url = read(text, base);
  if (url === undefined || url.hostname === '') return undefined;
  const scheme = url.protocol.slice(0, -1);
  url.hash = '';
  return {
    href: url.href,
    scheme,
    host: url.hostname,
    address: parseIpv4(url.hostname),
    port: url.port === '' ? (PORTS[scheme] ?? 0) : Number(url.port),
    path: url.pathname + url.search,
    authority: url.host,
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}

function read(text: string, base: string | undefined): URL | undefined {
  // `host:8080/x` has a port, not a scheme.
  const whole = base === undefined && !/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? `http://${text}` : text;
  try {
    return new URL(whole, base);
  } catch {
    return undefined;
  }
}
