// The colour bar: which colour is which value.

import type { Scale } from "../wire/types";
import { fraction, makeRamp, type Theme, valueAt } from "./colour";
import { niceTicks } from "./layout";
import { palette } from "./palette";
import type { Mark, Scene } from "./scene";
import { formatNumber, textWidth } from "./text";

const BAR = 10;
const TICK = 3;
const SIZE = 10.5;

/** Round values of the scale's domain with both its ends, none so close that labels touch. */
function ticksOf(scale: Scale, width: number): number[] {
  const inner = scale.log
    ? [10, 100, 1000, 1e4, 1e5, 1e6].filter((v) => v > scale.low && v < scale.high)
    : niceTicks(scale.low, scale.high, 4);
  const ends = [scale.low, scale.high];
  const kept = scale.kind === "diverging" ? [...ends, 0] : ends;
  for (const tick of inner) {
    const apart = kept.every((other) => {
      const room =
        (textWidth(formatNumber(tick), SIZE, false) + textWidth(formatNumber(other), SIZE, false)) /
          2 +
        8;
      return Math.abs(fraction(scale, tick) - fraction(scale, other)) * width > room;
    });
    if (apart) kept.push(tick);
  }
  return kept.sort((p, q) => p - q);
}

/** A horizontal colour bar with its domain, `width` wide in all. */
export function legendScene(scale: Scale, theme: Theme, width: number): Scene {
  const ramp = makeRamp(scale, theme);
  const { muted, rule } = palette(theme);
  const side = Math.ceil(
    Math.max(...[scale.low, scale.high].map((v) => textWidth(formatNumber(v), SIZE, false) / 2)) +
      1,
  );
  const bar = { x: side, y: 1, width: width - 2 * side, height: BAR };
  const columns = Math.max(2, Math.round(bar.width));
  const rgba = new Uint8ClampedArray(columns * 4);
  for (let i = 0; i < columns; i++) ramp.write(valueAt(scale, i / (columns - 1)), rgba, i * 4);
  const marks: Mark[] = [
    { kind: "image", ...bar, columns, rows: 1, rgba },
    { kind: "rect", ...bar, stroke: rule },
  ];
  for (const tick of ticksOf(scale, bar.width)) {
    const x = bar.x + fraction(scale, tick) * bar.width;
    const y = bar.y + BAR;
    marks.push(
      { kind: "line", x1: x, y1: y, x2: x, y2: y + TICK, stroke: muted },
      {
        kind: "text",
        x,
        y: y + TICK + 2,
        text: formatNumber(tick),
        fill: muted,
        size: SIZE,
        anchor: "middle",
        baseline: "top",
      },
    );
  }
  return { width, height: BAR + TICK + SIZE + 5, marks };
}
