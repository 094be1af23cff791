// What moves over the heatmap: crosshair, pinned cell, cells taken together, rows and columns selected elsewhere. A scene
// of its own, so that a hover repaints a few marks and not the cells.
import type { Theme } from "../../draw/colour";
import { type Cell, cellBox } from "../../draw/hit";
import { palette } from "../../draw/palette";
import type { Mark, Scene } from "../../draw/scene";
import { cellGrid, type Layout, type Window } from "./layout";
import type { Linked } from "./selection";

/** The least side of an outline, so that the mark of a one-pixel cell is seen. */
const LEAST = 7;
const BAR = 3;

export function overlayScene(
  layout: Layout,
  window: Window,
  active: Cell | null,
  linked: Linked,
  theme: Theme,
  group: readonly Cell[] = [],
): Scene {
  const cells = cellGrid(layout, window);
  const { box } = cells;
  const { accent, pin, paper } = palette(theme);
  const right = Math.min(window.width, box.x - window.scrollX + layout.columns * layout.cellWidth);
  const bottom = Math.min(window.height, box.y - window.scrollY + layout.rows * layout.cellHeight);
  const inner: Mark[] = [];
  const rowMarks: Mark[] = [];
  const columnMarks: Mark[] = [];

  for (const row of linked.rows) {
    const { y, height } = cellBox(cells, { row, column: 0 });
    rowMarks.push({ kind: "rect", x: box.x - BAR - 1, y, width: BAR, height, fill: pin });
  }
  for (const column of linked.columns) {
    const { x, width } = cellBox(cells, { row: 0, column });
    const bar = Math.max(width - 1, 2);
    columnMarks.push({ kind: "rect", x, y: box.y - BAR - 1, width: bar, height: BAR, fill: pin });
  }
  if (active) {
    const { x, y, width, height } = cellBox(cells, active);
    const band = { fill: accent, opacity: 0.14 };
    rowMarks.push({ kind: "rect", x: 0, y, width: box.x - 1, height, ...band });
    columnMarks.push({
      kind: "rect",
      x,
      y: 0,
      width: Math.max(width, 2),
      height: box.y - 1,
      ...band,
    });
    const rule = { stroke: accent, opacity: 0.45 };
    for (const edge of [y - 0.5, y + height - 0.5]) {
      inner.push({ kind: "line", x1: box.x, y1: edge, x2: right, y2: edge, ...rule });
    }
    for (const edge of [x - 0.5, x + width - 0.5]) {
      inner.push({ kind: "line", x1: edge, y1: box.y, x2: edge, y2: bottom, ...rule });
    }
  }
  const outline = (cell: Cell, stroke: string, dash: number[] = []): void => {
    const { x, y, width, height } = cellBox(cells, cell);
    const grow = { x: Math.max(0, LEAST - width) / 2, y: Math.max(0, LEAST - height) / 2 };
    const left = x - 0.5 - grow.x;
    const top = y - 0.5 - grow.y;
    const d = `M${left},${top}h${width + 2 * grow.x}v${height + 2 * grow.y}H${left}Z`;
    inner.push(
      { kind: "path", d, stroke: paper, lineWidth: 4 },
      { kind: "path", d, stroke, lineWidth: 2, dash },
    );
  };
  for (const cell of group) outline(cell, pin, [5, 3]);
  if (active) outline(active, accent);
  if (linked.cell) outline(linked.cell, pin);
  return {
    title: "Crosshair and pinned cell",
    width: window.width,
    height: window.height,
    marks: [
      { kind: "group", clip: box, dx: 0, dy: 0, marks: inner },
      {
        kind: "group",
        clip: { x: 0, y: box.y, width: box.x, height: box.height },
        dx: 0,
        dy: 0,
        marks: rowMarks,
      },
      {
        kind: "group",
        clip: { x: box.x, y: 0, width: box.width, height: box.y },
        dx: 0,
        dy: 0,
        marks: columnMarks,
      },
    ],
  };
}
