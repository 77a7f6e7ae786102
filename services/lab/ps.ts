/** `wirelab ps`: the devices of the lab, as columns or as JSON (an array at the top level). */
import type { DeviceView, LabView } from '../gateway/lab.ts';
import type { GatewayClient } from './client.ts';

export interface PsRow {
  readonly name: string;
  readonly kind: string;
  readonly role: string | null;
  readonly state: string;
  /** How it ended; empty while it runs. */
  readonly ended: string;
  readonly pid: number;
  /** Port of its control server. */
  readonly control: number;
  /** Seconds; null when it is down. */
  readonly uptime: number | null;
  readonly ports: readonly PsPort[];
}

export interface PsPort {
  readonly name: string;
  readonly carrier: boolean;
  readonly wire: string | null;
  readonly peer: string | null;
  readonly plugged: boolean;
  readonly addresses: readonly string[];
}

const HEADER = ['NAME', 'KIND', 'STATE', 'PID', 'CONTROL', 'UPTIME', 'PORTS'] as const;

export async function listDevices(client: GatewayClient): Promise<PsRow[]> {
  const view = await client.get<LabView>('/api/state');
  return view.devices.map((device) => rowOf(device));
}

function rowOf(device: DeviceView): PsRow {
  const { detail } = device;
  return {
    name: device.name,
    kind: device.kind,
    role: detail?.role ?? null,
    state: device.state,
    ended: device.ended,
    pid: device.pid,
    control: Number(device.control.replace(/^.*:/, '')),
    uptime: detail?.uptime ?? null,
    ports: (detail?.ports ?? [])
      .filter((port) => port.wire !== null)
      .map(({ name, carrier, wire, peer, plugged, addresses }) => ({ name, carrier, wire, peer, plugged, addresses })),
  };
}

/** Columns for people: a port without carrier is marked. */
export function formatPs(rows: readonly PsRow[]): string {
  const lines = rows.map((row) => [
    row.name,
    row.kind,
    row.state,
    row.pid === 0 ? '-' : String(row.pid),
    String(row.control),
    row.uptime === null ? '-' : `${row.uptime.toFixed(0)}s`,
    row.ports.length === 0 ? row.ended : row.ports.map(portText).join(' '),
  ]);
  return columns([[...HEADER], ...lines]);
}

function portText(port: PsPort): string {
  if (port.carrier) return port.name;
  return `${port.name}(${port.plugged ? 'no carrier' : 'unplugged'})`;
}

/** Left-aligned columns, two blanks apart. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}
