/** What the page asks of the gateway: the lab's state, captured frames, plugs. The token comes in the address's fragment. */
import { type CapturedFrame, type CaptureHello, parseCapture } from '../../../shared/device/capture-format.ts';

export interface DeviceView {
  readonly name: string;
  readonly kind: 'host' | 'switch' | 'router' | 'dns';
  readonly state: string;
}

export interface WireView {
  readonly name: string;
  readonly a: string;
  readonly b: string;
  readonly carrierA: boolean;
  readonly carrierB: boolean;
  readonly plugged: boolean;
}

export interface LabView {
  readonly lab: string;
  readonly devices: readonly DeviceView[];
  readonly wires: readonly WireView[];
}

export interface Frame extends CapturedFrame {
  /** `alice:eth0`. */
  readonly end: string;
}

const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
const RETRY_MS = 1_000;

async function call<T>(method: string, path: string, content?: object): Promise<T> {
  const headers = {
    authorization: `Bearer ${token}`,
    ...(content === undefined ? {} : { 'content-type': 'application/json' }),
  };
  const answer = await fetch(path, { method, headers, body: content === undefined ? null : JSON.stringify(content) });
  const body: unknown = await answer.json();
  if (!answer.ok) throw new Error((body as { error?: { message?: string } }).error?.message ?? answer.statusText);
  return body as T;
}

export const state = (): Promise<LabView> => call<LabView>('GET', '/api/state');

export const setPlug = (wire: string, plugged: boolean): Promise<unknown> =>
  call('POST', plugged ? '/api/plug' : '/api/unplug', { target: wire });

/** Every captured frame from now on; comes back by itself when the gateway does. */
export function watch(onFrames: (frames: Frame[], lost: number) => void, onState: (connected: boolean) => void): void {
  const url = new URL(`/api/capture?ports=all&token=${encodeURIComponent(token)}`, location.href);
  url.protocol = 'ws:';
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const names = new Map<string, string>();
  socket.onopen = () => onState(true);
  socket.onclose = () => {
    onState(false);
    setTimeout(() => watch(onFrames, onState), RETRY_MS);
  };
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string') {
      const { ports = [] } = JSON.parse(data) as Partial<CaptureHello>;
      for (const port of ports) names.set(`${port.device}/${port.port}`, port.name);
      return;
    }
    const batch = parseCapture(new Uint8Array(data as ArrayBuffer));
    if (batch === undefined) return;
    onFrames(
      batch.frames.map((frame) => ({ ...frame, end: names.get(`${frame.device}/${frame.port}`) ?? '?' })),
      batch.lost,
    );
  };
}
