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
  /** With it the fates of frames on bad wires repeat. */
  readonly seed: number;
  readonly devices: readonly DeviceView[];
  readonly wires: readonly WireView[];
}

export interface Frame extends CapturedFrame {
  /** `alice:eth0`. */
  readonly end: string;
  /** What the wire did to it: `lost by loss 5%`. */
  readonly verdicts: readonly string[];
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

/** Put a plug back, whoever pulled it; or pull it for as long as the page is open. */
export const setPlug = (wire: string, plugged: boolean): Promise<unknown> =>
  plugged ? call('POST', '/api/plug', { target: wire }) : hold({ fault: 'unplug', target: wire });

/** The page's faults: its session holds them, and they end with it. */
let session: WebSocket | undefined;
let requests = 0;

function hold(fault: object): Promise<unknown> {
  const id = ++requests;
  if (session === undefined || session.readyState > WebSocket.OPEN) session = socketTo('/api/session');
  const socket = session;
  return new Promise((resolve, reject) => {
    const send = (): void => socket.send(JSON.stringify({ id, ...fault }));
    if (socket.readyState === WebSocket.OPEN) send();
    else socket.addEventListener('open', send, { once: true });
    socket.addEventListener('close', () => reject(new Error('the gateway does not answer')), { once: true });
    socket.addEventListener('message', function listen({ data }: MessageEvent<string>) {
      const answer = JSON.parse(data) as { id: number; done?: object; error?: { message: string } };
      if (answer.id !== id) return;
      socket.removeEventListener('message', listen);
      if (answer.error === undefined) resolve(answer.done);
      else reject(new Error(answer.error.message));
    });
  });
}

function socketTo(path: string): WebSocket {
  const url = new URL(path, location.href);
  url.searchParams.set('token', token);
  url.protocol = 'ws:';
  return new WebSocket(url);
}

/** Every captured frame from now on; comes back by itself when the gateway does. */
export function watch(onFrames: (frames: Frame[], lost: number) => void, onState: (connected: boolean) => void): void {
  const socket = socketTo('/api/capture?ports=all');
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
    // A verdict comes right behind its frame.
    const said = (frame: CapturedFrame): string[] =>
      frame.direction === 'in' || batch.verdicts.length === 0
        ? []
        : batch.verdicts
            .filter(
              ({ device, port, number }) => device === frame.device && port === frame.port && number === frame.number,
            )
            .map(({ text }) => text);
    onFrames(
      batch.frames.map((frame) => {
        const end = names.get(`${frame.device}/${frame.port}`) ?? '?';
        return { ...frame, end, verdicts: said(frame) };
      }),
      batch.lost,
    );
  };
}
