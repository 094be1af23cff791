// Paired bars as a drawing: before above after, and the change to the right, around a line at 0.
import { makeRamp, type Theme } from "../../draw/colour";
import { palette } from "../../draw/palette";
import type { Mark, Scene } from "../../draw/scene";
import { fitText, textWidth, WIDER } from "../../draw/text";
import { amount, changeAmount, leastChange, type Row } from "./rows";

const SIZE = 12;
const SMALL = 10.5;
const HEAD = 22;
const ROW = 32;
const BAR = 10;
const GAP = 12;
const MAX_LABEL = 170;
/** Share of the width that changes have. */
const CHANGES = 0.4;
/** Between a bar and its value, and beyond. */
const SLACK = 10;
/** Of the longest bar of a change. */
const LEAST = 12;

/** Room for the widest of these beside its bar. */
const roomFor = (texts: readonly string[]): number =>
  WIDER * Math.max(0, ...texts.map((text) => textWidth(text, SMALL, false))) + SLACK;

export function barsScene(rows: readonly Row[], unit: string, theme: Theme, width: number): Scene {
  const { text, muted, rule, hairline, series } = palette(theme);
  const after = series[0] ?? text;
  const ramp = makeRamp({ kind: "diverging", low: -1, high: 1, reverse: false, log: false }, theme);
  const widest = Math.max(0, ...rows.map(({ label }) => textWidth(label, SIZE)));
  const labels = Math.min(widest, MAX_LABEL, width * 0.28);
  const changes = Math.round((width - labels - 2 * GAP) * CHANGES);
  const left = labels + GAP;
  const bars = width - left - changes - GAP;
  const right = left + bars + GAP;
  const height = HEAD + rows.length * ROW + 2;

  const values = rows.flatMap((row) => [row.before, row.after]).filter(Number.isFinite);
  const low = Math.min(0, ...values);
  const high = Math.max(low < 0 ? 0 : 1e-12, ...values);
  const words = roomFor(values.map((one) => amount(one, unit)));
  const room = Math.max(1, bars - words - (low < 0 ? words : 0));
  const zero = left + (low < 0 ? words : 0) + (room * -low) / (high - low);
  const scale = room / (high - low);
  const moves = rows.map(({ change }) => change).filter(Number.isFinite);
  const most = Math.max(leastChange(unit), ...moves.map(Math.abs));
  const middle = right + changes / 2;
  const beside = roomFor(moves.map((change) => changeAmount(change, unit)));
  const reach = (changes / 2 - beside) / most;
  // Where bars of changes have no room the changes are numbers alone.
  const tight = reach * most < LEAST;

  const heading = (
    x: number,
    title: string,
    anchor: "start" | "middle" | "end" = "start",
  ): Mark => ({
    kind: "text",
    x,
    y: HEAD / 2 - 2,
    text: title,
    fill: muted,
    size: SMALL,
    anchor,
    baseline: "middle",
  });
  const swatch = (x: number, fill: string): Mark => ({
    kind: "rect",
    x,
    y: HEAD / 2 - 7,
    width: 10,
    height: 10,
    fill,
  });
  const second = left + 14 + textWidth("before", SMALL, false) + GAP;
  const marks: Mark[] = [
    swatch(left, muted),
    heading(left + 14, "before"),
    swatch(second, after),
    heading(second + 14, "after"),
    heading(tight ? width : middle, "change", tight ? "end" : "middle"),
  ];
  if (!tight) {
    marks.push({ kind: "line", x1: middle, x2: middle, y1: HEAD, y2: height, stroke: rule });
  }
  if (low < 0) {
    marks.push({ kind: "line", x1: zero, x2: zero, y1: HEAD, y2: height, stroke: rule });
  }
  const value = (x: number, y: number, said: string, anchor: "start" | "end"): void => {
    const look = { fill: text, size: SMALL, baseline: "middle" } as const;
    marks.push({ kind: "text", x, y, text: said, anchor, ...look });
  };
  /** A bar from `from`, and its value beyond its end. */
  const bar = (
    from: number,
    size: number,
    y: number,
    thick: number,
    fill: string,
    said: string,
  ) => {
    if (!Number.isFinite(size)) return;
    const end = from + size;
    marks.push({
      kind: "rect",
      x: Math.min(from, end),
      y,
      width: Math.max(Math.abs(size), 0.5),
      height: thick,
      fill,
    });
    if (size < 0) value(end - 4, y + thick / 2, said, "end");
    else value(end + 4, y + thick / 2, said, "start");
  };
  rows.forEach((row, i) => {
    const y = HEAD + i * ROW;
    marks.push({ kind: "line", x1: 0, x2: width, y1: y, y2: y, stroke: hairline });
    marks.push({
      kind: "text",
      x: labels,
      y: y + ROW / 2,
      text: fitText(row.label, labels + 1, SIZE),
      fill: text,
      size: SIZE,
      anchor: "end",
      baseline: "middle",
      mono: true,
    });
    const top = y + (ROW - 2 * BAR - 2) / 2;
    bar(zero, row.before * scale, top, BAR, muted, amount(row.before, unit));
    bar(zero, row.after * scale, top + BAR + 2, BAR, after, amount(row.after, unit));
    const said = changeAmount(row.change, unit);
    const fill = ramp.css(Math.sign(row.change) * 0.7);
    if (!tight) bar(middle, row.change * reach, y + ROW / 2 - 6, 12, fill, said);
    else value(width, y + ROW / 2, said, "end");
  });
  return { width, height, marks };
}
