// The heatmap as a drawing: cells, their text, and the labels that stay put while cells scroll.
import { makeRamp, type Ramp, type Theme } from "../../draw/colour";
import { type Span, visibleSpan } from "../../draw/layout";
import { rgbFromHex } from "../../draw/oklab";
import { palette } from "../../draw/palette";
import type { Mark, Scene } from "../../draw/scene";
import { fitText, fixedFormat, formatNumber, textWidth } from "../../draw/text";
import { visible } from "../../state/tokens";
import type { Measure } from "../../wire/types";
import { cellGrid, LABEL_SIZE, type Layout, NAME_SIZE, type Window } from "./layout";
import type { Slice } from "./slice";
import { stateMarks, WAITING } from "./states";

/** Cells smaller than this are pixels of one image, larger ones have lines between them. */
const PIXEL_BELOW = 9;
/** The marks of states on pixels: their size, and the least distance between two. */
const MARK = 5;
const MARK_STEP = 8;
const MIN_TEXT = 9;
const MAX_TEXT = 11.5;
/** Characters of a token that must have room, or no token is written. */
const LEAST_TOKEN = 4;
/** From this height a cell has a second line: the value under the token. */
const TWO_LINES = 28;

interface Part {
  slice: Slice;
  layout: Layout;
  ramp: Ramp;
  rows: Span;
  columns: Span;
  theme: Theme;
}

export function heatmapScene(slice: Slice, layout: Layout, window: Window, theme: Theme): Scene {
  const { left, top, cellWidth, cellHeight } = layout;
  const { box } = cellGrid(layout, window);
  const { paper, rule } = palette(theme);
  const part: Part = {
    slice,
    layout,
    theme,
    ramp: makeRamp(slice.measure.scale, theme),
    rows: visibleSpan(window.scrollY, box.height, cellHeight, layout.rows),
    columns: visibleSpan(window.scrollX, box.width, cellWidth, layout.columns),
  };
  const dx = left - window.scrollX;
  const dy = top - window.scrollY;
  const right = Math.min(window.width, dx + layout.columns * cellWidth);
  const bottom = Math.min(window.height, dy + layout.rows * cellHeight);
  const tiny = Math.min(cellWidth, cellHeight) < PIXEL_BELOW;
  const rowClip = { x: 0, y: top, width: left, height: box.height };
  // A slanted label begins a little left of its column.
  const lean = layout.slanted ? 6 : 0;
  const columnClip = { x: left - lean, y: 0, width: box.width + lean, height: top };
  const marks: Mark[] = [
    {
      kind: "group",
      clip: box,
      dx,
      dy,
      marks: tiny ? pixels(part) : [...tiles(part), ...cellTexts(part)],
    },
    { kind: "group", clip: rowClip, dx: 0, dy, marks: rowLabels(part) },
    { kind: "group", clip: columnClip, dx, dy: 0, marks: columnLabels(part) },
    ...corner(part),
  ];
  if (window.scrollX > 0) {
    marks.push({ kind: "line", x1: left - 0.5, y1: top, x2: left - 0.5, y2: bottom, stroke: rule });
  }
  if (window.scrollY > 0) {
    marks.push({ kind: "line", x1: left, y1: top - 0.5, x2: right, y2: top - 0.5, stroke: rule });
  }
  const { width, height } = window;
  const title = `${visible(slice.grid.title)}: ${slice.measure.title}`;
  return { title, width, height, background: paper, marks };
}

/** The names of the axes, where the labels meet. */
function corner({ slice, layout, theme }: Part): Mark[] {
  const { muted } = palette(theme);
  const name = (text: string, y: number): Mark => ({
    kind: "text",
    x: layout.left - 8,
    y,
    text: fitText(text, layout.left - 10, NAME_SIZE, false),
    fill: muted,
    size: NAME_SIZE,
    anchor: "end",
  });
  const columns = `${slice.columnAxis.name} →`;
  const bottom = layout.top - layout.strip;
  if (bottom < 2.6 * NAME_SIZE) return [name(columns, bottom - 8)];
  return [name(columns, bottom - 20), name(`${slice.rowAxis.name} ↓`, bottom - 7)];
}

function pixels({ slice, layout, ramp, rows, columns, theme }: Part): Mark[] {
  const { cellWidth, cellHeight } = layout;
  const width = columns.end - columns.first;
  const height = rows.end - rows.first;
  const rgba = new Uint8ClampedArray(width * height * 4);
  const marked = stateMarks(theme);
  const everyRow = Math.ceil(MARK_STEP / cellHeight);
  const everyColumn = Math.ceil(MARK_STEP / cellWidth);
  let at = 0;
  for (let row = rows.first; row < rows.end; row++) {
    for (let column = columns.first; column < columns.end; column++, at += 4) {
      const value = slice.value(row, column);
      const state = slice.state(row, column);
      ramp.write(value, rgba, at);
      if (state === WAITING) rgba.set(rgbFromHex(palette(theme).paper), at);
      if (row % everyRow === 0 && column % everyColumn === 0) {
        const x = (column + 0.5) * cellWidth - MARK / 2;
        const y = (row + 0.5) * cellHeight - MARK / 2;
        marked.add(state, { x, y, width: MARK, height: MARK }, ramp.ink(value));
      }
    }
  }
  const image: Mark = {
    kind: "image",
    x: columns.first * cellWidth,
    y: rows.first * cellHeight,
    width: width * cellWidth,
    height: height * cellHeight,
    columns: width,
    rows: height,
    rgba,
  };
  return [image, ...marked.marks()];
}

function tiles({ slice, layout, ramp, rows, columns, theme }: Part): Mark[] {
  const { cellWidth, cellHeight } = layout;
  const { hairline, paper } = palette(theme);
  const marks: Mark[] = [
    {
      kind: "rect",
      x: columns.first * cellWidth - 1,
      y: rows.first * cellHeight - 1,
      width: (columns.end - columns.first) * cellWidth + 1,
      height: (rows.end - rows.first) * cellHeight + 1,
      fill: hairline,
    },
  ];
  const marked = stateMarks(theme);
  for (let row = rows.first; row < rows.end; row++) {
    for (let column = columns.first; column < columns.end; column++) {
      const value = slice.value(row, column);
      const state = slice.state(row, column);
      const box = {
        x: column * cellWidth,
        y: row * cellHeight,
        width: cellWidth - 1,
        height: cellHeight - 1,
      };
      marks.push({ kind: "rect", ...box, fill: state === WAITING ? paper : ramp.css(value) });
      marked.add(state, box, ramp.ink(value));
    }
  }
  return [...marks, ...marked.marks()];
}

/** Writes every value of a measure with the same number of decimals. */
function cellNumber({ scale, unit }: Measure): (value: number) => string {
  const fixed = fixedFormat(Math.max(Math.abs(scale.low), Math.abs(scale.high)));
  const whole = unit === "rank";
  return (value) => {
    if (Number.isNaN(value)) return "";
    return whole ? formatNumber(value) : fixed(value);
  };
}

/** Text of the cells: the best token, with the value under it where there is room; else the
 * value, provided that the widest of the scale fits: a number cut short would be a wrong number. */
function cellTexts({ slice, layout, ramp, rows, columns }: Part): Mark[] {
  const { cellWidth, cellHeight } = layout;
  const number = cellNumber(slice.measure);
  const { low, high } = slice.measure.scale;
  const room = cellWidth - 5;
  const unit = Math.max(textWidth(number(low), 1), textWidth(number(high), 1));
  const tokens = slice.grid.top !== null;
  const tall = Math.min(MAX_TEXT, cellHeight * 0.58);
  const size = tokens ? tall : Math.min(tall, room / unit);
  if (size < MIN_TEXT) return [];
  if (tokens && room < textWidth("x".repeat(LEAST_TOKEN), size)) return [];
  const small = size - 1.5;
  const two = tokens && cellHeight >= TWO_LINES && small * unit <= room;
  const marks: Mark[] = [];
  for (let row = rows.first; row < rows.end; row++) {
    for (let column = columns.first; column < columns.end; column++) {
      const value = slice.value(row, column);
      const x = (column + 0.5) * cellWidth - 0.5;
      const y = (row + 0.5) * cellHeight - 0.5;
      const place = { x, fill: ramp.ink(value), mono: true, anchor: "middle" } as const;
      const add = (text: string, offset: number, size: number): void => {
        if (!text) return;
        marks.push({ kind: "text", y: y + offset, text, baseline: "middle", ...place, size });
      };
      if (tokens) {
        const token = fitText(slice.topGlyphs(row, column), room, size);
        add(token, two ? -size * 0.55 : 0, size);
        if (two) add(number(value), token ? size * 0.6 : 0, small);
      }
      if (!tokens) add(number(value), 0, size);
    }
  }
  return marks;
}

function rowLabels({ slice, layout, rows, theme }: Part): Mark[] {
  const { text } = palette(theme);
  const marks: Mark[] = [];
  for (let row = rows.first; row < rows.end; row++) {
    if (slice.dataRow(row) % layout.rowEvery !== 0) continue;
    marks.push({
      kind: "text",
      x: layout.left - 8,
      y: (row + 0.5) * layout.cellHeight,
      text: fitText(slice.rowLabel(row), layout.left - 10, LABEL_SIZE),
      fill: text,
      size: LABEL_SIZE,
      mono: true,
      anchor: "end",
      baseline: "middle",
    });
  }
  return marks;
}

function columnLabels({ slice, layout, columns, theme }: Part): Mark[] {
  const { text } = palette(theme);
  const marks: Mark[] = [];
  const bottom = layout.top - layout.strip;
  const room = layout.slanted ? (bottom - 16) / Math.SQRT1_2 : layout.cellWidth - 3;
  const first = Math.ceil(columns.first / layout.columnEvery) * layout.columnEvery;
  for (let column = first; column < columns.end; column += layout.columnEvery) {
    const x = (column + 0.5) * layout.cellWidth;
    marks.push({
      kind: "text",
      x: layout.slanted ? x + 2 : x,
      y: bottom - (layout.slanted ? 6 : 8),
      text: fitText(slice.columnLabel(column), room, LABEL_SIZE),
      fill: text,
      size: LABEL_SIZE,
      mono: true,
      ...(layout.slanted ? { rotate: -45 } : { anchor: "middle" as const }),
    });
  }
  return marks;
}
