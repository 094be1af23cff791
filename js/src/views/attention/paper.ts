// What the attention scenes add to the palette: how masked cells look, and pixels of a ramp.
import type { Ramp, Theme } from "../../draw/colour";
import { rgbFromHex } from "../../draw/oklab";

/** Masked cells are grey under a hatch; zero is the paper colour of the ramp. */
export const MASK: Record<Theme, { fill: string; hatch: string }> = {
  light: { fill: "#eceef1", hatch: "#c3c9d1" },
  dark: { fill: "#22272e", hatch: "#434c57" },
};

/** Values to pixels; NaN, masked, to the mask's grey. */
export function pixels(values: ArrayLike<number>, ramp: Ramp, theme: Theme): Uint8ClampedArray {
  const rgba = new Uint8ClampedArray(values.length * 4);
  const [red, green, blue] = rgbFromHex(MASK[theme].fill);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (Number.isNaN(value)) {
      rgba[i * 4] = red;
      rgba[i * 4 + 1] = green;
      rgba[i * 4 + 2] = blue;
      rgba[i * 4 + 3] = 255;
    } else {
      ramp.write(value, rgba, i * 4);
    }
  }
  return rgba;
}

/** Distance between hatch lines, CSS pixels. */
const HATCH = 7;

/** Path data of diagonal lines over the masked cells (src > dest) of an `n x n` matrix of square
 * cells, for the part from (x, y) of the given size. Along a line column + row = c the masked part
 * starts where the staircase of the diagonal's cells ends. */
export function hatchPath(
  n: number,
  cell: number,
  part: { x: number; y: number; width: number; height: number },
): string {
  const side = n * cell;
  const first = Math.ceil((part.x + part.y) / HATCH) * HATCH;
  const last = Math.min(2 * side, part.x + part.width + part.y + part.height);
  let path = "";
  for (let c = first; c < last; c += HATCH) {
    const k = Math.floor(c / cell / 2) * cell;
    const start = Math.min(2 * (k + cell) - c, c - 2 * k);
    const end = Math.min(c, 2 * side - c);
    if (end <= start) continue;
    path += `M${round((c + start) / 2)} ${round((c - start) / 2)}`;
    path += `L${round((c + end) / 2)} ${round((c - end) / 2)}`;
  }
  return path;
}

const round = (value: number): number => Math.round(value * 10) / 10;
