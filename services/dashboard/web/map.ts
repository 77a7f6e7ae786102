/** The map: devices, wires with the carrier of each end, frames as dots that cross them. A click on a wire pulls its plug. */
import type { DeviceView, Frame, LabView, WireView } from './api.ts';
import { layout, type Point } from './layout.ts';

/** More dots than this at once show nothing more. */
const DOTS_MAX = 150;
const CROSSING_MS = 450;
const SVG = 'http://www.w3.org/2000/svg';

interface DrawnWire {
  readonly line: SVGLineElement;
  readonly hit: SVGLineElement;
  view: WireView;
}

export class TopologyMap {
  private readonly svg: SVGSVGElement;
  private readonly onWire: (wire: WireView) => void;
  private points = new Map<string, Point>();
  private readonly wires = new Map<string, DrawnWire>();
  private readonly devices = new Map<string, SVGGElement>();
  private dots = 0;

  constructor(svg: SVGSVGElement, onWire: (wire: WireView) => void) {
    this.svg = svg;
    this.onWire = onWire;
  }

  /** Draw the lab, or bring what is drawn up to date. */
  show(lab: LabView): void {
    if (this.devices.size !== lab.devices.length) this.draw(lab);
    for (const device of lab.devices) this.devices.get(device.name)?.classList.toggle('dead', device.state !== 'up');
    for (const wire of lab.wires) {
      const drawn = this.wires.get(wire.name);
      if (drawn === undefined) continue;
      drawn.view = wire;
      const isUp = wire.carrierA && wire.carrierB;
      drawn.line.classList.toggle('down', !isUp);
      drawn.hit.setAttribute(
        'aria-label',
        `${wire.name}: ${wire.plugged ? (isUp ? 'up' : 'no carrier') : 'unplugged'}; activate to ${wire.plugged ? 'unplug' : 'plug in'}`,
      );
    }
  }

  /** Let a frame that left `frame.end` cross its wire. */
  cross(frame: Frame, protocol: string): void {
    const drawn = [...this.wires.values()].find(({ view }) => view.a === frame.end || view.b === frame.end);
    if (drawn === undefined || this.dots >= DOTS_MAX || document.hidden) return;
    const [from, to] = drawn.view.a === frame.end ? [drawn.view.a, drawn.view.b] : [drawn.view.b, drawn.view.a];
    const start = this.points.get(deviceOf(from));
    const end = this.points.get(deviceOf(to));
    if (start === undefined || end === undefined) return;
    const dot = this.add(this.svg, 'circle', { class: `dot ${protocol}`, r: 6, cx: start.x, cy: start.y });
    this.dots++;
    const move = dot.animate(
      [{ transform: 'translate(0, 0)' }, { transform: `translate(${end.x - start.x}px, ${end.y - start.y}px)` }],
      { duration: CROSSING_MS },
    );
    move.onfinish = () => {
      dot.remove();
      this.dots--;
    };
  }

  private draw(lab: LabView): void {
    this.svg.replaceChildren(...this.svg.querySelectorAll(':scope > title'));
    this.wires.clear();
    this.devices.clear();
    const { width, height } = this.svg.getBoundingClientRect();
    this.svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const links = lab.wires.map((wire) => [deviceOf(wire.a), deviceOf(wire.b)] as const);
    const names = lab.devices.map((device) => device.name);
    this.points = layout(names, links, { width, height });
    for (const wire of lab.wires) this.drawWire(wire);
    for (const device of lab.devices) this.drawDevice(device);
  }

  private drawWire(wire: WireView): void {
    const a = this.points.get(deviceOf(wire.a));
    const b = this.points.get(deviceOf(wire.b));
    if (a === undefined || b === undefined) return;
    const ends = { x1: a.x, y1: a.y, x2: b.x, y2: b.y };
    const hit = this.add(this.svg, 'line', { ...ends, class: 'hit', tabindex: 0, role: 'button' });
    const line = this.add(this.svg, 'line', { ...ends, class: 'wire' });
    const drawn: DrawnWire = { line, hit, view: wire };
    this.wires.set(wire.name, drawn);
    const activate = (): void => this.onWire(drawn.view);
    line.addEventListener('click', activate);
    hit.addEventListener('click', activate);
    hit.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' || event.key === ' ') activate();
    });
    for (const [end, near, far] of [
      [wire.a, a, b],
      [wire.b, b, a],
    ] as const) {
      const share = Math.min(0.4, 42 / Math.hypot(far.x - near.x, far.y - near.y));
      const label = this.add(this.svg, 'text', {
        class: 'port',
        x: near.x + (far.x - near.x) * share,
        y: near.y + (far.y - near.y) * share - 5,
      });
      label.textContent = end.slice(end.indexOf(':') + 1);
    }
  }

  private drawDevice(device: DeviceView): void {
    const at = this.points.get(device.name);
    if (at === undefined) return;
    const group = this.add(this.svg, 'g', { class: 'device', transform: `translate(${at.x} ${at.y})` });
    if (device.kind === 'router') this.add(group, 'circle', { r: 15 });
    else if (device.kind === 'switch') this.add(group, 'rect', { x: -20, y: -10, width: 40, height: 20, rx: 3 });
    else if (device.kind === 'dns') this.add(group, 'path', { d: 'M0 -17 L16 12 L-16 12 Z' });
    else this.add(group, 'rect', { x: -14, y: -14, width: 28, height: 28, rx: 6 });
    const label = this.add(group, 'text', { y: 32 });
    label.textContent = device.name;
    const title = this.add(group, 'title', {});
    title.textContent = `${device.name}: ${device.kind}, ${device.state}`;
    this.devices.set(device.name, group);
  }

  private add<K extends keyof SVGElementTagNameMap>(
    parent: Element,
    tag: K,
    attributes: Readonly<Record<string, string | number>>,
  ): SVGElementTagNameMap[K] {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    parent.append(element);
    return element;
  }
}

function deviceOf(end: string): string {
  return end.slice(0, end.indexOf(':'));
}
