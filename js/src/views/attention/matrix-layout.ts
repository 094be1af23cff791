// Where the cells and labels of an enlarged matrix are.
import { type CellGrid, cellAt, cellBox } from "../../draw/hit";
import type { Box } from "../../draw/scene";
import { textWidth } from "../../draw/text";
import { type CellWindow, type Matrix, valueAt } from "./matrix";
import type { Pane } from "./scroll-canvas";
import { outdoes } from "./weighting";

export const TOKEN_SIZE = 11;
export const TITLE_HEIGHT = 15;
const MAX_LABEL = 92;
const LABEL_SHARE = 0.24;
/** Cells of a short prompt are not drawn larger than this unless zoomed. */
const MAX_FIT_CELL = 30;
export const MAX_CELL = 48;
const ZOOM_STEP = 1.5;

export interface MatrixLayout {
  n: number;
  cell: number;
  /** Length of the longest label drawn in full. */
  label: number;
  /** Sticky margins: axis title and labels. */
  left: number;
  top: number;
  /** Of the window. */
  width: number;
  height: number;
  contentWidth: number;
  contentHeight: number;
}

export interface CellRef {
  dest: number;
  src: number;
}

/** `zoom`: cell side in CSS pixels; null: the whole matrix fits. */
export function matrixLayout(
  glyphs: readonly string[],
  width: number,
  zoom: number | null,
): MatrixLayout {
  const n = glyphs.length;
  const longest = glyphs.reduce((most, text) => Math.max(most, textWidth(text, TOKEN_SIZE)), 0);
  const label = Math.ceil(Math.min(longest, MAX_LABEL, width * LABEL_SHARE));
  const margin = TITLE_HEIGHT + label + 6;
  const side = Math.max(1, Math.floor(width - margin - 1));
  const fit = Math.min(MAX_FIT_CELL, side / n);
  const cell = zoom === null ? fit : Math.min(MAX_CELL, Math.max(fit, zoom));
  const content = Math.ceil(margin + n * cell);
  return {
    n,
    cell,
    label,
    left: margin,
    top: margin,
    width,
    height: Math.min(content, margin + side) + 1,
    contentWidth: content,
    contentHeight: content,
  };
}

/** The next cell size up or down; null once the whole matrix fits. */
export function zoomed(
  layout: MatrixLayout,
  glyphs: readonly string[],
  direction: 1 | -1,
): number | null {
  const fit = matrixLayout(glyphs, layout.width, null).cell;
  const next = layout.cell * (direction > 0 ? ZOOM_STEP : 1 / ZOOM_STEP);
  return next <= fit ? null : Math.min(MAX_CELL, next);
}

export function matrixGrid(layout: MatrixLayout, pane: Pane): CellGrid {
  return {
    box: {
      x: layout.left,
      y: layout.top,
      width: pane.width - layout.left,
      height: pane.height - layout.top,
    },
    cellWidth: layout.cell,
    cellHeight: layout.cell,
    rows: layout.n,
    columns: layout.n,
    scrollX: pane.x,
    scrollY: pane.y,
  };
}

/** Cells to a block's side: above 1 where a cell is smaller than a device pixel. */
export const poolStep = (layout: MatrixLayout, pixelRatio: number): number =>
  Math.max(1, Math.ceil(1 / (layout.cell * pixelRatio) - 1e-9));

/** The cells in sight, grown to whole blocks. */
export function cellWindow(layout: MatrixLayout, pane: Pane, step: number): CellWindow {
  const { n, cell } = layout;
  const first = (offset: number): number =>
    Math.min(n - 1, Math.max(0, Math.floor(offset / cell / step) * step));
  const end = (offset: number): number =>
    Math.min(n, Math.max(1, Math.ceil(offset / cell / step) * step));
  return {
    row0: first(pane.y),
    row1: end(pane.y + pane.height - layout.top),
    column0: first(pane.x),
    column1: end(pane.x + pane.width - layout.left),
  };
}

/** The cell at (x, y) of the pane. Where several share a pixel: the strongest of them, the one that
 * gave the pixel its colour. */
export function pointedCell(
  matrix: Matrix,
  layout: MatrixLayout,
  pane: Pane,
  step: number,
  x: number,
  y: number,
): CellRef | null {
  const found = cellAt(matrixGrid(layout, pane), x, y);
  if (!found) return null;
  if (step === 1) return { dest: found.row, src: found.column };
  const row0 = Math.floor(found.row / step) * step;
  const column0 = Math.floor(found.column / step) * step;
  let best: CellRef = { dest: found.row, src: found.column };
  let most = Number.NaN;
  for (let dest = row0; dest < Math.min(row0 + step, layout.n); dest++) {
    for (let src = column0; src < Math.min(column0 + step, layout.n); src++) {
      const value = valueAt(matrix, dest, src);
      if (outdoes(value, most)) {
        most = value;
        best = { dest, src };
      }
    }
  }
  return best;
}

export const matrixCellBox = (layout: MatrixLayout, pane: Pane, { dest, src }: CellRef): Box =>
  cellBox(matrixGrid(layout, pane), { row: dest, column: src });

/** The token whose label is at (x, y): a dest in the left margin, a src in the top one. */
export function pointedLabel(
  layout: MatrixLayout,
  pane: Pane,
  x: number,
  y: number,
): { dest: number } | { src: number } | null {
  const index = (offset: number): number | null => {
    const at = Math.floor(offset / layout.cell);
    return at >= 0 && at < layout.n ? at : null;
  };
  if (x < layout.left && y >= layout.top) {
    const dest = index(y - layout.top + pane.y);
    return dest === null ? null : { dest };
  }
  if (y < layout.top && x >= layout.left) {
    const src = index(x - layout.left + pane.x);
    return src === null ? null : { src };
  }
  return null;
}
