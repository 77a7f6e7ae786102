/** Where devices stand on the map: wires pull, devices push, from a start on a circle, so that it is the same each time. */
export interface Point {
  x: number;
  y: number;
}

const ROUNDS = 400;

/** Neighbours on the page stand at least so far apart that their names can be read. */
const APART_PIXELS = 92;
const MARGIN = { x: 70, top: 38, bottom: 52 } as const;

/** Where each name stands on a page of that size, in pixels. */
export function layout(
  names: readonly string[],
  links: readonly (readonly [string, string])[],
  page: { readonly width: number; readonly height: number },
): Map<string, Point> {
  const points = names.map((_, i): Point => {
    const angle = (i / names.length) * 2 * Math.PI;
    return { x: Math.cos(angle), y: Math.sin(angle) };
  });
  const joined = links.map(([a, b]) => [names.indexOf(a), names.indexOf(b)] as const);
  for (let round = 0; round < ROUNDS; round++) relax(points, joined, 0.1 * (1 - round / ROUNDS));
  turn(points);
  place(points, page);
  for (let round = 0; round < ROUNDS; round++) keepApart(points, page);
  return new Map(names.map((name, i) => [name, points[i] ?? { x: 0, y: 0 }]));
}

function keepApart(points: readonly Point[], page: { readonly width: number; readonly height: number }): void {
  for (const [i, a] of points.entries()) {
    for (const b of points.slice(i + 1)) {
      const distance = Math.hypot(b.x - a.x, b.y - a.y) || 1;
      const push = Math.max(0, APART_PIXELS - distance) / distance / 4;
      const [dx, dy] = [(b.x - a.x) * push, (b.y - a.y) * push];
      a.x -= dx;
      a.y -= dy;
      b.x += dx;
      b.y += dy;
    }
    a.x = Math.min(page.width - MARGIN.x, Math.max(MARGIN.x, a.x));
    a.y = Math.min(page.height - MARGIN.bottom, Math.max(MARGIN.top, a.y));
  }
}

/** Turn the picture so that its longest side lies along the page (its principal axis). */
function turn(points: readonly Point[]): void {
  const sum = (of: (point: Point) => number): number => points.reduce((total, point) => total + of(point), 0);
  const x = sum((point) => point.x) / points.length;
  const y = sum((point) => point.y) / points.length;
  const along = sum((point) => (point.x - x) ** 2) - sum((point) => (point.y - y) ** 2);
  const angle = -Math.atan2(2 * sum((point) => (point.x - x) * (point.y - y)), along) / 2;
  for (const point of points) {
    const [dx, dy] = [point.x - x, point.y - y];
    point.x = dx * Math.cos(angle) - dy * Math.sin(angle);
    point.y = dx * Math.sin(angle) + dy * Math.cos(angle);
  }
}

function relax(points: Point[], joined: readonly (readonly [number, number])[], step: number): void {
  const force = points.map((): Point => ({ x: 0, y: 0 }));
  const add = (i: number, x: number, y: number): void => {
    const at = force[i];
    if (at === undefined) return;
    at.x += x;
    at.y += y;
  };
  points.forEach((a, i) => {
    points.forEach((b, j) => {
      const square = (a.x - b.x) ** 2 + (a.y - b.y) ** 2 + 0.001;
      if (i !== j) add(i, (0.12 * (a.x - b.x)) / square, (0.12 * (a.y - b.y)) / square);
    });
  });
  for (const [i, j] of joined) {
    const a = points[i];
    const b = points[j];
    if (a === undefined || b === undefined) continue;
    add(i, (b.x - a.x) * 1.4, (b.y - a.y) * 1.4);
    add(j, (a.x - b.x) * 1.4, (a.y - b.y) * 1.4);
  }
  points.forEach((point, i) => {
    point.x += (force[i]?.x ?? 0) * step;
    point.y += (force[i]?.y ?? 0) * step;
  });
}

function place(points: readonly Point[], page: { readonly width: number; readonly height: number }): void {
  const scale = (values: readonly number[], from: number, to: number): ((v: number) => number) => {
    const low = Math.min(...values);
    const size = Math.max(...values) - low;
    // All in one line: the middle.
    return (v) => (size < 1e-6 ? (from + to) / 2 : from + ((v - low) / size) * (to - from));
  };
  const x = scale(
    points.map((point) => point.x),
    MARGIN.x,
    page.width - MARGIN.x,
  );
  const y = scale(
    points.map((point) => point.y),
    MARGIN.top,
    page.height - MARGIN.bottom,
  );
  for (const point of points) Object.assign(point, { x: x(point.x), y: y(point.y) });
}
