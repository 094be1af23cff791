// What a cell's value is, and the marks that tell it without colour.
import type { Ramp, Theme } from "../../draw/colour";
import { palette } from "../../draw/palette";
import type { Box, Mark, Scene } from "../../draw/scene";
import type { Slice } from "./slice";

/** In the order of `Grid.states`. */
export const STATES = ["not applicable", "waiting", "estimate", "exact"] as const;
export const NOT_APPLICABLE = 0;
export const WAITING = 1;
export const ESTIMATE = 2;
export const EXACT = 3;

/** Largest corner of an estimate. */
const CORNER = 7;

/** Collects marks, one path for all cells that look the same. */
export interface StateMarks {
  /** `ink` reads well on the cell's colour. */
  add(state: number | null, box: Box, ink: string): void;
  marks(): Mark[];
}

/** Not applicable: crossed out. Waiting: a dotted outline. Estimate: a corner. Exact: plain. */
export function stateMarks(theme: Theme): StateMarks {
  const { muted } = palette(theme);
  const corners: Record<string, string> = {};
  let crosses = "";
  let outlines = "";
  return {
    add(state, { x, y, width, height }, ink) {
      const right = x + width;
      const bottom = y + height;
      if (state === NOT_APPLICABLE)
        crosses += `M${x},${bottom}L${right},${y}M${x},${y}L${right},${bottom}`;
      if (state === WAITING) outlines += `M${x + 1},${y + 1}H${right - 1}V${bottom - 1}H${x + 1}Z`;
      if (state === ESTIMATE) {
        const side = Math.min(CORNER, width, height);
        corners[ink] = `${corners[ink] ?? ""}M${right - side},${y}H${right}V${y + side}Z`;
      }
    },
    marks() {
      const marks: Mark[] = [];
      if (crosses) marks.push({ kind: "path", d: crosses, stroke: muted, opacity: 0.55 });
      if (outlines) marks.push({ kind: "path", d: outlines, stroke: muted, dash: [1, 3] });
      for (const [fill, d] of Object.entries(corners)) {
        marks.push({ kind: "path", d, fill, opacity: 0.75 });
      }
      return marks;
    },
  };
}

/** A cell in a state, with the marks that it has in the map. */
export function swatch(state: number, ramp: Ramp, theme: Theme): Scene {
  const { paper, rule } = palette(theme);
  const box = { x: 0.5, y: 0.5, width: 15, height: 12 };
  const fill = state === NOT_APPLICABLE ? ramp.missing : ramp.css(ramp.scale.high / 3);
  const marked = stateMarks(theme);
  marked.add(state, box, ramp.ink(ramp.scale.high / 3));
  return {
    width: 16,
    height: 13,
    marks: [
      { kind: "rect", ...box, fill: state === WAITING ? paper : fill, stroke: rule },
      ...marked.marks(),
    ],
  };
}

/** How many cells are in which state. */
export function statesOf(slice: Slice): number[] {
  const counts = STATES.map(() => 0);
  for (let row = 0; row < slice.rows; row++) {
    for (let column = 0; column < slice.columns; column++) {
      const state = slice.state(row, column);
      if (state !== null) counts[state] = (counts[state] ?? 0) + 1;
    }
  }
  return counts;
}
