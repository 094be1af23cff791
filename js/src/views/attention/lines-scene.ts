// Two columns of tokens and the lines between them, one colour per head.
import type { Theme } from "../../draw/colour";
import { visibleSpan } from "../../draw/layout";
import { palette } from "../../draw/palette";
import type { Mark, Scene } from "../../draw/scene";
import { fitText, textWidth } from "../../draw/text";
import type { Lines } from "./lines";
import { DEST_TITLE, SRC_TITLE } from "./matrix-scene";
import type { Pane } from "./scroll-canvas";

export const ROW = 18;
export const HEADER = 18;
const SIZE = 12;
const MAX_COLUMN = 170;
const COLUMN_SHARE = 0.32;
const PAD = 6;
/** Most lines painted at once, over all heads: what a canvas strokes within a frame. */
export const MAX_LINES = 4000;
/** Opacities are rounded to this many levels, so that one path holds all lines of a level. */
const LEVELS = 16;
/** A share of the scale below this rounds to no opacity at all. */
export const LEAST_SHARE = 0.5 / LEVELS;

export interface LinesLayout {
  n: number;
  /** Width of each column of tokens. */
  column: number;
  width: number;
  height: number;
}

export function linesLayout(glyphs: readonly string[], width: number): LinesLayout {
  const longest = glyphs.reduce((most, text) => Math.max(most, textWidth(text, SIZE)), 0);
  const titles = textWidth(DEST_TITLE, SIZE - 1, false);
  const column = Math.ceil(
    Math.min(Math.max(longest, titles) + 2 * PAD, MAX_COLUMN, width * COLUMN_SHARE),
  );
  return { n: glyphs.length, column, width, height: HEADER + glyphs.length * ROW + 2 };
}

export interface DrawnHead {
  lines: Lines;
  colour: string;
  /** The value with full opacity. */
  high: number;
}

export interface LinesSpec {
  layout: LinesLayout;
  glyphs: readonly string[];
  heads: readonly DrawnHead[];
  theme: Theme;
}

/** One side of one token. */
export interface Side {
  side: "dest" | "src";
  token: number;
}

export function sideAt(layout: LinesLayout, pane: Pane, x: number, y: number): Side | null {
  const token = Math.floor((y + pane.y - HEADER) / ROW);
  if (y < HEADER || token < 0 || token >= layout.n) return null;
  if (x < layout.column) return { side: "dest", token };
  if (x >= layout.width - layout.column && x < layout.width) return { side: "src", token };
  return null;
}

/** Lines that cross the rows in sight, strongest first, `most` at most over all heads. */
export function visibleLines(
  heads: readonly { lines: Lines }[],
  first: number,
  end: number,
  most: number,
): number[][] {
  const share = Math.floor(most / Math.max(1, heads.length));
  return heads.map(({ lines }) => {
    const chosen: number[] = [];
    for (let i = 0; i < lines.value.length && chosen.length < share; i++) {
      const dest = lines.dest[i] as number;
      const src = lines.src[i] as number;
      if (Math.max(dest, src) >= first && Math.min(dest, src) < end) chosen.push(i);
    }
    return chosen;
  });
}

export function linesScene(spec: LinesSpec, pane: Pane): Scene {
  const { layout, glyphs, theme } = spec;
  const ink = palette(theme);
  const { first, end } = span(layout, pane);
  return {
    width: pane.width,
    height: pane.height,
    marks: [
      ...header(layout, ink.muted),
      body(layout, pane, [
        ...lineMarks(spec, pane, 1),
        ...Array.from({ length: end - first }, (_, i) => first + i).flatMap((token) => [
          tokenText(layout, glyphs, { side: "dest", token }, ink.text, pane),
          tokenText(layout, glyphs, { side: "src", token }, ink.text, pane),
        ]),
      ]),
    ],
  };
}

/** The lines of one token alone, over a veil that fades the others. */
export function linesOverlay(spec: LinesSpec, focus: Side | null, pane: Pane): Scene {
  const { layout, glyphs, theme } = spec;
  const ink = palette(theme);
  const { width, height } = pane;
  if (!focus) return { width, height, marks: [] };
  const { first, end } = span(layout, pane);
  const marks: Mark[] = [
    {
      kind: "rect",
      x: layout.column,
      y: HEADER,
      width: layout.width - 2 * layout.column,
      height: height - HEADER,
      fill: ink.paper,
      opacity: 0.88,
    },
    ...lineMarks(spec, pane, 1.5),
  ];
  const y = rowTop(focus.token, pane);
  const x = focus.side === "dest" ? 0 : layout.width - layout.column;
  if (focus.token >= first && focus.token < end) {
    marks.push(
      { kind: "rect", x, y, width: layout.column, height: ROW, fill: ink.accent, radius: 2 },
      tokenText(layout, glyphs, focus, ink.paper, pane),
    );
  }
  return { width, height, marks: [body(layout, pane, marks)] };
}

const span = (layout: LinesLayout, pane: Pane): { first: number; end: number } =>
  visibleSpan(pane.y, pane.height - HEADER, ROW, layout.n);

const rowTop = (token: number, pane: Pane): number => HEADER + token * ROW - pane.y;

function body(layout: LinesLayout, pane: Pane, marks: Mark[]): Mark {
  const clip = { x: 0, y: HEADER, width: layout.width, height: pane.height - HEADER };
  return { kind: "group", clip, dx: 0, dy: 0, marks };
}

function header(layout: LinesLayout, fill: string): Mark[] {
  const shared = { kind: "text", y: 2, fill, size: SIZE - 1, baseline: "top" } as const;
  return [
    { ...shared, x: layout.column - PAD, text: DEST_TITLE, anchor: "end" },
    { ...shared, x: layout.width - layout.column + PAD, text: SRC_TITLE },
  ];
}

function tokenText(
  layout: LinesLayout,
  glyphs: readonly string[],
  { side, token }: Side,
  fill: string,
  pane: Pane,
): Mark {
  return {
    kind: "text",
    x: side === "dest" ? layout.column - PAD : layout.width - layout.column + PAD,
    y: rowTop(token, pane) + ROW / 2,
    text: fitText(glyphs[token] ?? "", layout.column - 2 * PAD, SIZE),
    fill,
    size: SIZE,
    anchor: side === "dest" ? "end" : "start",
    baseline: "middle",
    mono: true,
  };
}

/** Heads start at their own height within a row, so that lines of several heads stay apart. What is
 * below 0 is dashed. */
function lineMarks(spec: LinesSpec, pane: Pane, lineWidth: number): Mark[] {
  const { layout, heads } = spec;
  const { first, end } = span(layout, pane);
  const chosen = visibleLines(heads, first, end, MAX_LINES);
  const x1 = layout.column;
  const x2 = layout.width - layout.column;
  return heads.flatMap(({ lines, colour, high }, h): Mark[] => {
    const [above, below] = [0, 1].map(() => new Array<string>(LEVELS).fill("")) as [Paths, Paths];
    const shift = ((h + 1) / (heads.length + 1)) * ROW;
    for (const i of chosen[h] ?? []) {
      const share = (lines.value[i] as number) / high;
      const level = Math.round(Math.min(1, Math.abs(share)) * LEVELS) - 1;
      if (level < 0) continue;
      const y1 = round(rowTop(lines.dest[i] as number, pane) + shift);
      const y2 = round(rowTop(lines.src[i] as number, pane) + shift);
      const paths = share < 0 ? below : above;
      paths[level] += `M${x1} ${y1}L${x2} ${y2}`;
    }
    const drawn = (paths: Paths, more: { dash?: number[] }): Mark[] =>
      paths.flatMap((d, level): Mark[] => {
        const opacity = (level + 1) / LEVELS;
        return d ? [{ kind: "path", d, stroke: colour, lineWidth, opacity, ...more }] : [];
      });
    return [...drawn(above, {}), ...drawn(below, { dash: [4, 3] })];
  });
}

/** Of each level of opacity one path. */
type Paths = string[];

const round = (value: number): number => Math.round(value * 10) / 10;
