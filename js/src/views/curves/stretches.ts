// Stretches of the last axis as bars: one below the other, over the places.
import type { Theme } from "../../draw/colour";
import { labelEvery } from "../../draw/layout";
import { palette } from "../../draw/palette";
import type { Mark, Scene } from "../../draw/scene";
import { fitText, textWidth } from "../../draw/text";
import type { Grid } from "../../wire/types";
import { placesOf, stretchColours } from "./charts";

const SIZE = 11;
const ROW = 20;
const GAP = 10;
const FOOT = 18;

/** "L0 to L3", "L5", or "not found". */
export function extentOf(grid: Grid, i: number): string {
  const { first = null, last = null } = grid.stretches[i] ?? {};
  if (first === null || last === null) return "not found";
  const [from, to] = [first, last].map((at) => placesOf(grid)[at] ?? "");
  return from === to ? String(from) : `${from} to ${to}`;
}

export function stretchScene(grid: Grid, theme: Theme, width: number): Scene {
  const { text, muted, rule, paper } = palette(theme);
  const places = placesOf(grid);
  const labels = grid.stretches.map(({ label }) => label);
  const longest = Math.max(...labels.map((label) => textWidth(label, SIZE, false)));
  const left = Math.min(longest * 1.08 + GAP, width * 0.45);
  const cell = (width - left - 1) / places.length;
  const high = labels.length * ROW;
  const marks: Mark[] = [
    { kind: "rect", x: left, y: 0.5, width: width - left - 1, height: high, stroke: rule },
  ];
  grid.stretches.forEach(({ label, first, last }, i) => {
    const y = i * ROW + ROW / 2;
    const shown = fitText(label, left - GAP, SIZE, false);
    const base = { kind: "text", size: SIZE, baseline: "middle" } as const;
    marks.push({ ...base, x: 0, y, text: shown, fill: text });
    if (first === null || last === null) {
      marks.push({ ...base, x: left + GAP, y, text: "not found", fill: muted });
      return;
    }
    marks.push({
      kind: "rect",
      x: left + first * cell + 1,
      y: y - 6,
      width: (last - first + 1) * cell - 2,
      height: 12,
      radius: 2,
      fill: stretchColours(theme)[i] ?? text,
    });
  });
  const wide = Math.max(...places.map((place) => textWidth(place, SIZE))) + GAP;
  const every = labelEvery(cell, wide);
  for (let i = 0; i < places.length; i += every) {
    marks.push({
      kind: "text",
      x: left + (i + 0.5) * cell,
      y: high + 5,
      text: places[i] ?? "",
      fill: muted,
      size: SIZE,
      mono: true,
      anchor: "middle",
      baseline: "top",
    });
  }
  return { width, height: high + FOOT, background: paper, marks };
}
