// A line chart over an ordered axis of named places, such as the read-outs of a model.

import type { Scale } from "../wire/types";
import { fraction, type Theme } from "./colour";
import { labelEvery, niceTicks } from "./layout";
import { palette } from "./palette";
import type { Box, Mark, Scene } from "./scene";
import { fitText, formatNumber, textWidth } from "./text";

export interface Series {
  label: string;
  /** One per place; NaN leaves a gap. */
  values: ArrayLike<number>;
  colour: string;
  dash?: number[];
}

/** Between two lines. */
export interface Band {
  low: ArrayLike<number>;
  high: ArrayLike<number>;
  colour: string;
}

/** Places one after the other, shaded. */
export interface Shade {
  first: number;
  last: number;
  colour: string;
}

export interface Chart {
  title: string;
  /** Said behind the title. */
  unit?: string;
  /** Names of the places along the horizontal axis. */
  places: readonly string[];
  /** Where they are along it, 0 to 1 ascending; evenly spaced by default. */
  at?: readonly number[];
  series: readonly Series[];
  bands?: readonly Band[];
  shades?: readonly Shade[];
  /** The place with a line of its own. */
  pinned?: number | null;
  /** Vertical domain; `log` spaces by log(1 + value), `reverse` puts the low end at the top. */
  scale: Scale;
  /** Values with a tick, where the default round ones do not serve (a logarithm's exponents). */
  ticks?: readonly number[];
  format?(value: number): string;
}

const SIZE = 10.5;
const TITLE = 12;
const SIDE = 22;
/** Room for the names of the places and, under them, what the names share. */
const BOTTOM = 38;
const GAP = 8;
/** How much wider bold letters are. */
const BOLD = 1.1;

const BAND = 0.2;
const SHADE = 0.12;

/** Where a place is along the horizontal axis, 0 to 1. */
const along = ({ at, places }: Chart, i: number): number =>
  at?.[i] ?? (places.length < 2 ? 0.5 : i / (places.length - 1));

/** The place nearest to `x` in a chart of this size. */
export function placeAt(chart: Chart, width: number, height: number, x: number): number {
  const box = plotBox(chart, width, height);
  const wanted = (x - box.x) / box.width;
  const away = chart.places.map((_, i) => Math.abs(along(chart, i) - wanted));
  return away.indexOf(Math.min(...away));
}

/** Where the lines are drawn inside a chart of this size. */
function plotBox(chart: Chart, width: number, height: number): Box {
  const format = chart.format ?? formatNumber;
  const left = Math.max(...ticksOf(chart).map((t) => textWidth(format(t), SIZE, false))) + 14;
  const top = TITLE + 16;
  return { x: left, y: top, width: width - left - SIDE, height: height - top - BOTTOM };
}

/** The part that all places end in, from a space on: "L0 resid_post", "L1 resid_post". */
function commonEnd(places: readonly string[]): string {
  const [first = ""] = places;
  const end = first.slice(first.indexOf(" "));
  return first.includes(" ") && places.every((place) => place.endsWith(end)) ? end : "";
}

function ticksOf(chart: Chart): readonly number[] {
  const { scale } = chart;
  if (chart.ticks) return chart.ticks;
  if (!scale.log) return niceTicks(scale.low, scale.high, 5);
  const powers = [1, 10, 100, 1e3, 1e4, 1e5, 1e6].filter((v) => v < scale.high);
  return [scale.low, ...powers.filter((v) => v > scale.low)];
}

export function chartScene(chart: Chart, theme: Theme, width: number, height: number): Scene {
  const { text, muted, rule, paper, pin } = palette(theme);
  const box = plotBox(chart, width, height);
  const format = chart.format ?? formatNumber;
  const count = chart.places.length;
  const toX = (i: number): number => box.x + box.width * along(chart, i);
  const toY = (value: number): number => {
    const t = fraction(chart.scale, value);
    return box.y + (chart.scale.reverse ? t : 1 - t) * box.height;
  };
  const marks: Mark[] = [
    { kind: "text", x: box.x, y: TITLE, text: chart.title, fill: text, size: TITLE, weight: 600 },
  ];
  if (chart.unit) {
    const x = box.x + textWidth(chart.title, TITLE, false) * BOLD + GAP;
    const said = fitText(chart.unit, width - x, SIZE, false);
    marks.push({ kind: "text", x, y: TITLE, text: said, fill: muted, size: SIZE });
  }
  const half = count < 2 ? box.width / 2 : box.width / (count - 1) / 2;
  for (const { first, last, colour } of chart.shades ?? []) {
    const x = Math.max(box.x, toX(first) - half);
    const end = Math.min(box.x + box.width, toX(last) + half);
    marks.push({ kind: "rect", ...box, x, width: end - x, fill: colour, opacity: SHADE });
  }
  let last = Number.POSITIVE_INFINITY;
  for (const tick of ticksOf(chart)) {
    const y = toY(tick);
    if (Math.abs(y - last) < SIZE) continue;
    last = y;
    marks.push(
      { kind: "line", x1: box.x, y1: y, x2: box.x + box.width, y2: y, stroke: rule },
      {
        kind: "text",
        x: box.x - 6,
        y,
        text: format(tick),
        fill: muted,
        size: SIZE,
        anchor: "end",
        baseline: "middle",
      },
    );
  }
  const end = commonEnd(chart.places);
  const names = chart.places.map((place) => place.slice(0, place.length - end.length));
  const longest = Math.max(...names.map((name) => textWidth(name, SIZE)));
  const every = labelEvery(count < 2 ? box.width : box.width / (count - 1), longest + GAP);
  let clear = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i += chart.at ? 1 : every) {
    const x = toX(i);
    if (chart.at && x < clear) continue;
    clear = x + longest + GAP;
    marks.push({
      kind: "text",
      x,
      y: box.y + box.height + 7,
      text: names[i] ?? "",
      fill: muted,
      size: SIZE,
      mono: true,
      anchor: "middle",
      baseline: "top",
    });
  }
  if (end) {
    marks.push({
      kind: "text",
      x: box.x + box.width / 2,
      y: height - 4,
      text: end.trim(),
      fill: muted,
      size: SIZE,
      anchor: "middle",
    });
  }
  if (typeof chart.pinned === "number") {
    const x = toX(chart.pinned);
    const line = { x1: x, x2: x, y1: box.y, y2: box.y + box.height };
    marks.push({ kind: "line", ...line, stroke: pin, lineWidth: 1.5 });
  }
  for (const { low, high, colour } of chart.bands ?? []) {
    const known = Array.from({ length: count }, (_, i) => i).filter(
      (i) => Number.isFinite(low[i] ?? Number.NaN) && Number.isFinite(high[i] ?? Number.NaN),
    );
    const point = (i: number, values: ArrayLike<number>): string =>
      `${toX(i).toFixed(1)},${toY(values[i] ?? 0).toFixed(1)}`;
    if (known.length < 2) continue;
    const there = known.map((i) => point(i, high));
    const back = known.reverse().map((i) => point(i, low));
    marks.push({
      kind: "path",
      d: `M${[...there, ...back].join("L")}Z`,
      fill: colour,
      opacity: BAND,
    });
  }
  for (const { values, colour, dash } of chart.series) {
    let d = "";
    let drawing = false;
    for (let i = 0; i < count; i++) {
      const value = values[i] ?? Number.NaN;
      if (Number.isNaN(value)) {
        drawing = false;
        continue;
      }
      d += `${drawing ? "L" : "M"}${toX(i).toFixed(1)},${toY(value).toFixed(1)}`;
      drawing = true;
    }
    marks.push({ kind: "path", d, stroke: colour, lineWidth: 2, ...(dash ? { dash } : {}) });
    if (count > box.width / 8) continue;
    for (let i = 0; i < count; i++) {
      const value = values[i] ?? Number.NaN;
      if (Number.isNaN(value)) continue;
      marks.push({
        kind: "rect",
        x: toX(i) - 3,
        y: toY(value) - 3,
        width: 6,
        height: 6,
        radius: 3,
        fill: colour,
        stroke: paper,
      });
    }
  }
  return { title: chart.title, width, height, background: paper, marks };
}
