/** Where devices stand on the map: wires pull, devices push, from a start on a circle, so that it is the same each time. */
export interface Point {
  x: number;
  y: number;
}

const ROUNDS = 400;

/** Positions from 0 to 1 for each name. */
export function layout(names: readonly string[], links: readonly (readonly [string, string])[]): Map<string, Point> {
  const points = names.map((_, i): Point => {
    const angle = (i / names.length) * 2 * Math.PI;
    return { x: Math.cos(angle), y: Math.sin(angle) };
  });
  const joined = links.map(([a, b]) => [names.indexOf(a), names.indexOf(b)] as const);
  for (let round = 0; round < ROUNDS; round++) relax(points, joined, 0.1 * (1 - round / ROUNDS));
  turn(points);
  return scaled(names, points);
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

function scaled(names: readonly string[], points: readonly Point[]): Map<string, Point> {
  const spread = (values: readonly number[]): ((v: number) => number) => {
    const low = Math.min(...values);
    const size = Math.max(...values) - low;
    // All in one line: the middle.
    return (v) => (size < 1e-6 ? 0.5 : (v - low) / size);
  };
  const x = spread(points.map((point) => point.x));
  const y = spread(points.map((point) => point.y));
  return new Map(names.map((name, i) => [name, { x: x(points[i]?.x ?? 0), y: y(points[i]?.y ?? 0) }]));
}
