// How large the cells are and where the labels go. Pure: a function of the slice, the zoom and the
// space there is.
import type { CellGrid } from "../../draw/hit";
import { labelEvery } from "../../draw/layout";
import { textWidth, WIDER } from "../../draw/text";
import type { Zoom } from "./options";
import type { Slice } from "./slice";

export const LABEL_SIZE = 11;
/** Of the names of the axes, in the corner. */
export const NAME_SIZE = 10;

/** Tallest that the viewport gets. */
const MAX_HEIGHT = 560;
const SCROLLBAR = 15;
const MAX_GUTTER = 170;
const MAX_HEADER = 92;
const GUTTER_PAD = 14;
const SLANT = Math.SQRT1_2;
/** Distance between slanted labels that do not touch. */
const SLANTED_STEP = LABEL_SIZE * 1.35;
/** Share of the column labels that must fit level for all to be level. */
const LEVEL_SHARE = 0.85;

/** Cell sizes that read well, in pixels: with a token in the cell, and with a number. */
const READABLE = {
  tokens: { width: { min: 44, max: 96 }, height: { min: 19, max: 34 } },
  numbers: { width: { min: 38, max: 84 }, height: { min: 19, max: 30 } },
};
/** Cells under one pixel are averaged by the painter. */
const LIMITS = { width: { min: 0.05, max: 220 }, height: { min: 0.05, max: 60 } };

export interface Layout {
  rows: number;
  columns: number;
  cellWidth: number;
  cellHeight: number;
  /** Width of the row labels, height of the column labels. */
  left: number;
  top: number;
  /** Height kept free under the column labels. */
  strip: number;
  slanted: boolean;
  /** Every how many rows and columns have a label. */
  rowEvery: number;
  columnEvery: number;
  /** What can be scrolled over, labels included. */
  contentWidth: number;
  contentHeight: number;
  /** The viewport. */
  width: number;
  height: number;
}

/** The part of the content in sight. */
export interface Window {
  scrollX: number;
  scrollY: number;
  width: number;
  height: number;
}

const clamp = (value: number, { min, max }: { min: number; max: number }): number =>
  Math.min(max, Math.max(min, value));

/** Whole pixels, unless the cells are so small that rounding would change the picture's size. */
const crisp = (size: number): number => (size >= 6 ? Math.floor(size) : size);

function longest(count: number, label: (i: number) => string): number {
  let width = 0;
  for (let i = 0; i < count; i++) width = Math.max(width, textWidth(label(i), LABEL_SIZE));
  return width;
}

function cellSize(slice: Slice, zoom: Zoom, space: { width: number; height: number }) {
  const readable = slice.grid.top ? READABLE.tokens : READABLE.numbers;
  const share = { width: space.width / slice.columns, height: space.height / slice.rows };
  const auto = {
    width: clamp(share.width, readable.width),
    height: clamp(share.height, readable.height),
  };
  const fit = {
    width: clamp(share.width, { min: LIMITS.width.min, max: readable.width.max }),
    height: clamp(share.height, { min: LIMITS.height.min, max: readable.height.max }),
  };
  if (zoom === "auto") return auto;
  if (zoom === "fit") return fit;
  // Zooming out ends where everything is in sight.
  return {
    width: clamp(auto.width * zoom, {
      min: Math.min(fit.width, auto.width),
      max: LIMITS.width.max,
    }),
    height: clamp(auto.height * zoom, {
      min: Math.min(fit.height, auto.height),
      max: LIMITS.height.max,
    }),
  };
}

export function layoutOf(slice: Slice, zoom: Zoom, available: number, strip = 0): Layout {
  const { rows, columns } = slice;
  const names = [`${slice.columnAxis.name} →`, `${slice.rowAxis.name} ↓`];
  const gutter = Math.max(
    longest(rows, slice.rowLabel),
    ...names.map((name) => WIDER * textWidth(name, NAME_SIZE, false)),
  );
  const left = Math.ceil(Math.min(gutter, MAX_GUTTER, available * 0.3) + GUTTER_PAD);
  const labelWidth = longest(columns, slice.columnLabel);
  const slantedTop = strip + Math.ceil(Math.min(MAX_HEADER, labelWidth * SLANT + 22));
  const height = MAX_HEIGHT - slantedTop;
  const overflowing = rows * cellSize(slice, zoom, { width: 1, height }).height > height + 1;
  const width = available - left - (overflowing ? SCROLLBAR : 0) - 1;
  let { width: cellWidth, height: cellHeight } = cellSize(slice, zoom, { width, height });
  cellHeight = crisp(cellHeight);
  cellWidth = crisp(cellWidth);

  let level = 0;
  for (let i = 0; i < columns; i++) {
    if (textWidth(slice.columnLabel(i), LABEL_SIZE) <= cellWidth - 4) level += 1;
  }
  const slanted = level < columns * LEVEL_SHARE;
  // The last slanted labels lean out over the right edge.
  const lean = slanted ? Math.max(0, slantedTop - strip - 8 - cellWidth / 2) : 0;
  if (slanted && columns * cellWidth + lean > width && columns * cellWidth <= width + 1) {
    cellWidth = Math.max(crisp((width - lean) / columns), LIMITS.width.min);
  }
  const top = slanted ? slantedTop : strip + LABEL_SIZE + 13;
  const contentWidth = Math.ceil(left + columns * cellWidth + lean) + 1;
  const contentHeight = Math.ceil(top + rows * cellHeight) + 1;
  const scrollsX = contentWidth > available;
  return {
    rows,
    columns,
    cellWidth,
    cellHeight,
    left,
    top,
    strip,
    slanted,
    rowEvery: labelEvery(cellHeight, LABEL_SIZE + 2),
    columnEvery: slanted ? labelEvery(cellWidth, SLANTED_STEP) : 1,
    contentWidth,
    contentHeight,
    width: available,
    height: Math.min(contentHeight + (scrollsX ? SCROLLBAR : 0), MAX_HEIGHT + SCROLLBAR),
  };
}

/** The cells in the window, for drawing and hit testing. */
export function cellGrid(layout: Layout, window: Window): CellGrid {
  const { left, top, rows, columns, cellWidth, cellHeight } = layout;
  return {
    box: {
      x: left,
      y: top,
      width: Math.max(0, window.width - left),
      height: Math.max(0, window.height - top),
    },
    cellWidth,
    cellHeight,
    rows,
    columns,
    scrollX: window.scrollX,
    scrollY: window.scrollY,
  };
}

/** What is under a point of the window: a cell, a row's label, or a column's label. */
export type Target =
  | { kind: "cell"; row: number; column: number }
  | { kind: "row"; row: number }
  | { kind: "column"; column: number };

export function targetAt(layout: Layout, window: Window, x: number, y: number): Target | null {
  const column = Math.floor((x - layout.left + window.scrollX) / layout.cellWidth);
  const row = Math.floor((y - layout.top + window.scrollY) / layout.cellHeight);
  const inColumns = x >= layout.left && x < window.width && column < layout.columns;
  const inRows = y >= layout.top && y < window.height && row < layout.rows;
  if (inColumns && inRows) return { kind: "cell", row, column };
  if (inRows && x >= 0 && x < layout.left) return { kind: "row", row };
  if (inColumns && y >= 0 && y < layout.top) return { kind: "column", column };
  return null;
}
