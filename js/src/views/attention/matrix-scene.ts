// One head's matrix as a drawing: rows attend (dest), columns are attended to (src).
import type { Ramp, Theme } from "../../draw/colour";
import { labelEvery } from "../../draw/layout";
import { palette } from "../../draw/palette";
import type { Mark, Scene } from "../../draw/scene";
import { fitText } from "../../draw/text";
import { type Matrix, maxPool } from "./matrix";
import {
  type CellRef,
  cellWindow,
  type MatrixLayout,
  matrixCellBox,
  poolStep,
  TITLE_HEIGHT,
  TOKEN_SIZE,
} from "./matrix-layout";
import { hatchPath, MASK, pixels } from "./paper";
import type { Pane } from "./scroll-canvas";

export const DEST_TITLE = "dest (attends from)";
export const SRC_TITLE = "src (attends to)";

export interface MatrixSpec {
  matrix: Matrix;
  layout: MatrixLayout;
  /** Token labels, already safe to show. */
  glyphs: readonly string[];
  ramp: Ramp;
  theme: Theme;
}

/** Cells this large are set apart by a hairline. */
const RULED_CELL = 12;
/** How far the label of a small first cell reaches over the corner. */
const OVERHANG = 7;

export function matrixScene(spec: MatrixSpec, pane: Pane, pixelRatio: number): Scene {
  const { matrix, layout, ramp, theme } = spec;
  const { cell, left, top, n } = layout;
  const ink = palette(theme);
  const step = poolStep(layout, pixelRatio);
  const window = cellWindow(layout, pane, step);
  const columns = Math.ceil((window.column1 - window.column0) / step);
  const rows = Math.ceil((window.row1 - window.row0) / step);
  const x = left - pane.x;
  const y = top - pane.y;
  const plot = {
    x: left,
    y: top,
    width: Math.max(0, Math.min(pane.width - left, x + n * cell - left)),
    height: Math.max(0, Math.min(pane.height - top, y + n * cell - top)),
  };
  const marks: Mark[] = [
    {
      kind: "image",
      x: x + window.column0 * cell,
      y: y + window.row0 * cell,
      width: columns * step * cell,
      height: rows * step * cell,
      columns,
      rows,
      rgba: pixels(maxPool(matrix, window, step), ramp, theme),
    },
  ];
  const inner: Mark[] = [];
  if (matrix.causal) {
    const part = { x: pane.x, y: pane.y, width: plot.width, height: plot.height };
    const d = hatchPath(n, cell, part);
    if (d) inner.push({ kind: "path", d, stroke: MASK[theme].hatch, lineWidth: 1 });
  }
  if (cell >= RULED_CELL) inner.push(rules(window, cell, ink.paper));
  if (inner.length > 0) marks.push({ kind: "group", clip: plot, dx: x, dy: y, marks: inner });
  return {
    width: pane.width,
    height: pane.height,
    marks: [
      { kind: "group", clip: plot, dx: 0, dy: 0, marks },
      { kind: "rect", ...plot, stroke: ink.rule, lineWidth: 1 },
      ...titles(layout, pane, ink.muted),
      ...labels(spec, pane, ink.text),
    ],
  };
}

function rules(
  { row0, row1, column0, column1 }: ReturnType<typeof cellWindow>,
  cell: number,
  stroke: string,
): Mark {
  let d = "";
  for (let row = row0; row <= row1; row++)
    d += `M${column0 * cell} ${row * cell}H${column1 * cell}`;
  for (let column = column0; column <= column1; column++) {
    d += `M${column * cell} ${row0 * cell}V${row1 * cell}`;
  }
  return { kind: "path", d, stroke, lineWidth: 1, opacity: 0.6 };
}

function titles({ left, top }: MatrixLayout, pane: Pane, fill: string): Mark[] {
  const shared = { kind: "text", fill, size: TOKEN_SIZE, baseline: "top" } as const;
  return [
    { ...shared, x: left, y: 1, text: fitText(SRC_TITLE, pane.width - left, TOKEN_SIZE, false) },
    {
      ...shared,
      x: 1,
      y: Math.min(pane.height, top + DEST_TITLE.length * TOKEN_SIZE * 0.56),
      text: DEST_TITLE,
      rotate: -90,
    },
  ];
}

function labels({ layout, glyphs }: MatrixSpec, pane: Pane, fill: string): Mark[] {
  const { cell, left, top, label } = layout;
  const every = labelEvery(cell, TOKEN_SIZE + 2);
  const shown = (offset: number, length: number): number[] => {
    const first = Math.ceil(Math.max(0, Math.floor(offset / cell)) / every) * every;
    const end = Math.min(glyphs.length, Math.ceil((offset + length) / cell));
    return Array.from(
      { length: Math.max(0, Math.ceil((end - first) / every)) },
      (_, i) => first + i * every,
    );
  };
  const text = (i: number): string => fitText(glyphs[i] ?? "", label, TOKEN_SIZE);
  const style = { kind: "text", fill, size: TOKEN_SIZE, baseline: "middle", mono: true } as const;
  return [
    {
      kind: "group",
      clip: {
        x: TITLE_HEIGHT,
        y: top - OVERHANG,
        width: left - TITLE_HEIGHT,
        height: pane.height - top + OVERHANG,
      },
      dx: 0,
      dy: 0,
      marks: shown(pane.y, pane.height - top).map((i) => ({
        ...style,
        x: left - 4,
        y: top + (i + 0.5) * cell - pane.y,
        text: text(i),
        anchor: "end",
      })),
    },
    {
      kind: "group",
      clip: {
        x: left - OVERHANG,
        y: TITLE_HEIGHT,
        width: pane.width - left + OVERHANG,
        height: top - TITLE_HEIGHT,
      },
      dx: 0,
      dy: 0,
      marks: shown(pane.x, pane.width - left).map((i) => ({
        ...style,
        x: left + (i + 0.5) * cell - pane.x,
        y: top - 4,
        text: text(i),
        rotate: -90,
      })),
    },
  ];
}

export interface MatrixMarks {
  hover: CellRef | null;
  pin: { dest: number | null; src: number | null };
}

/** Crosshair and labels of the cell under the pointer, and what is pinned. */
export function matrixOverlay(spec: MatrixSpec, { hover, pin }: MatrixMarks, pane: Pane): Scene {
  const { layout, theme } = spec;
  const ink = palette(theme);
  const marks: Mark[] = [];
  const margins: Mark[] = [];
  const body = {
    x: layout.left,
    y: layout.top,
    width: pane.width - layout.left,
    height: pane.height - layout.top,
  };
  const band = (at: { dest: number | null; src: number | null }, colour: string): void => {
    const box = matrixCellBox(layout, pane, { dest: at.dest ?? 0, src: at.src ?? 0 });
    const right = box.x + (layout.n - (at.src ?? 0)) * layout.cell;
    const start = box.x - (at.src ?? 0) * layout.cell;
    const above = box.y - (at.dest ?? 0) * layout.cell;
    const below = box.y + (layout.n - (at.dest ?? 0)) * layout.cell;
    if (at.dest !== null) {
      for (const y of [box.y, box.y + box.height]) {
        marks.push({
          kind: "line",
          x1: start,
          y1: y,
          x2: right,
          y2: y,
          stroke: colour,
          opacity: 0.75,
        });
      }
      margins.push(...destLabel(spec, at.dest, box.y + box.height / 2, colour, pane));
    }
    if (at.src !== null) {
      for (const x of [box.x, box.x + box.width]) {
        marks.push({
          kind: "line",
          x1: x,
          y1: above,
          x2: x,
          y2: below,
          stroke: colour,
          opacity: 0.75,
        });
      }
      margins.push(...srcLabel(spec, at.src, box.x + box.width / 2, colour, pane));
    }
    if (at.dest !== null && at.src !== null) {
      const outline = {
        kind: "rect",
        x: box.x - 1,
        y: box.y - 1,
        width: Math.max(3, box.width + 2),
        height: Math.max(3, box.height + 2),
      } as const;
      // One of the two is seen on any colour of the cells.
      marks.push({ ...outline, stroke: ink.paper, lineWidth: 4 });
      marks.push({ ...outline, stroke: colour, lineWidth: 2 });
    }
  };
  band(pin, ink.pin);
  if (hover) band(hover, ink.accent);
  return {
    width: pane.width,
    height: pane.height,
    marks: [{ kind: "group", clip: body, dx: 0, dy: 0, marks }, ...margins],
  };
}

const LABEL_HEIGHT = 15;

function destLabel(spec: MatrixSpec, dest: number, y: number, fill: string, pane: Pane): Mark[] {
  const { layout, theme, glyphs } = spec;
  if (y < layout.top || y > pane.height) return [];
  const width = layout.left - TITLE_HEIGHT;
  return [
    {
      kind: "rect",
      x: TITLE_HEIGHT,
      y: y - LABEL_HEIGHT / 2,
      width,
      height: LABEL_HEIGHT,
      fill,
      radius: 2,
    },
    {
      kind: "text",
      x: layout.left - 4,
      y,
      text: fitText(glyphs[dest] ?? "", layout.label, TOKEN_SIZE),
      fill: palette(theme).paper,
      size: TOKEN_SIZE,
      anchor: "end",
      baseline: "middle",
      mono: true,
    },
  ];
}

function srcLabel(spec: MatrixSpec, src: number, x: number, fill: string, pane: Pane): Mark[] {
  const { layout, theme, glyphs } = spec;
  if (x < layout.left || x > pane.width) return [];
  const height = layout.top - TITLE_HEIGHT;
  return [
    {
      kind: "rect",
      x: x - LABEL_HEIGHT / 2,
      y: TITLE_HEIGHT,
      width: LABEL_HEIGHT,
      height,
      fill,
      radius: 2,
    },
    {
      kind: "text",
      x,
      y: layout.top - 4,
      text: fitText(glyphs[src] ?? "", layout.label, TOKEN_SIZE),
      fill: palette(theme).paper,
      size: TOKEN_SIZE,
      baseline: "middle",
      mono: true,
      rotate: -90,
    },
  ];
}
