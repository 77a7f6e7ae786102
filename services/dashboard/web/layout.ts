/** Where devices stand on the map: in columns by their distance from the first, so that a path reads from left to right. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

const MARGIN = { x: 70, top: 30, bottom: 50 } as const;

/** Where each name stands on a page of that size, in pixels. */
export function layout(
  names: readonly string[],
  links: readonly (readonly [string, string])[],
  page: { readonly width: number; readonly height: number },
): Map<string, Point> {
  const columns = columnsOf(names, links);
  const high = page.height - MARGIN.top - MARGIN.bottom;
  const wide = page.width - 2 * MARGIN.x;
  const points = new Map<string, Point>();
  for (const [i, column] of columns.entries()) {
    const x = MARGIN.x + wide * (columns.length === 1 ? 0.5 : i / (columns.length - 1));
    for (const [j, name] of column.entries()) {
      // A column of one stands a little off the middle line, so that no long wire runs behind a device.
      const share = (j + (column.length === 1 ? 0.5 + 0.04 * (i % 3) : 0.5)) / column.length;
      points.set(name, { x, y: MARGIN.top + high * share });
    }
  }
  return points;
}

/** Breadth first from the first device; what cannot be reached from it starts again in the first column. */
function columnsOf(names: readonly string[], links: readonly (readonly [string, string])[]): string[][] {
  const columns: string[][] = [];
  const placed = new Set<string>();
  for (const start of names) {
    let column = placed.has(start) ? [] : [start];
    for (let i = 0; column.length > 0; i++) {
      for (const name of column) placed.add(name);
      columns[i] = [...(columns[i] ?? []), ...column];
      const near = column.flatMap((name) => links.flatMap(([a, b]) => (a === name ? [b] : b === name ? [a] : [])));
      column = [...new Set(near)].filter((name) => !placed.has(name));
    }
  }
  return columns;
}
