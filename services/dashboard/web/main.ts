/** The page: state asked for now and then, frames as they come, one picture each animation frame. */
import { dissect } from '../../../shared/header/dissect.ts';
import { type LabView, setPlug, state, watch } from './api.ts';
import { FrameList } from './list.ts';
import { TopologyMap } from './map.ts';

const STATE_MS = 1_000;

function element<T extends Element>(id: string): T {
  const found = document.querySelector<T>(`#${id}`);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

const status = element<HTMLElement>('status');
const list = new FrameList(element('list'), element('detail'));
const map = new TopologyMap(element('map'), (wire) => {
  setPlug(wire.name, !wire.plugged).then(refresh, (error: Error) => say(error.message));
});
let frames = 0;
let lost = 0;
let connected = false;

function say(text: string): void {
  status.textContent = text;
}

function report(lab: LabView): void {
  const up = lab.devices.filter((device) => device.state === 'up').length;
  const dark = lab.wires.filter((wire) => !wire.carrierA || !wire.carrierB).map((wire) => wire.name);
  const missed = lost + list.skipped > 0 ? `, ${lost + list.skipped} not shown` : '';
  say(
    `${up} of ${lab.devices.length} devices up; ${dark.length === 0 ? 'all wires have carrier' : `no carrier: ${dark.join(', ')}`}; ${frames} frames${missed}; seed ${lab.seed}${connected ? '' : '; not connected'}`,
  );
}

async function refresh(): Promise<void> {
  try {
    const lab = await state();
    element('lab').textContent = lab.lab;
    map.show(lab);
    report(lab);
  } catch (error) {
    say(`no answer from the gateway: ${(error as Error).message}`);
  }
}

function paint(): void {
  list.flush();
  requestAnimationFrame(paint);
}

element<HTMLInputElement>('filter').oninput = (event) => {
  list.filter((event.target as HTMLInputElement).value);
};
element('clear').addEventListener('click', () => list.clear());
element('pause').addEventListener('click', (event) => {
  list.paused = !list.paused;
  (event.currentTarget as Element).setAttribute('aria-pressed', String(list.paused));
});

watch(
  (batch, missing) => {
    lost += missing;
    frames += batch.length;
    for (const frame of batch) {
      const dissection = dissect(frame.bytes);
      list.add(frame, dissection);
      if (frame.direction === 'out') map.cross(frame, dissection.protocol);
    }
  },
  (isOpen) => {
    connected = isOpen;
  },
);
void refresh();
setInterval(() => void refresh(), STATE_MS);
requestAnimationFrame(paint);
