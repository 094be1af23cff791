// Pixels of the overview's thumbnails, never finer than the device's pixels.
import { makeRamp, type Ramp, type Theme } from "../../draw/colour";
import type { Patterns } from "../../wire/types";
import { type HeadRef, headIndex } from "./heads";
import { pixels } from "./paper";
import { commonHigh, headHigh, outdoes, type Weighting, weightingIndex } from "./weighting";

export interface Thumbnail {
  side: number;
  rgba: Uint8ClampedArray;
}

/** Colour scale from 0, or around it in a difference; a matrix of zeros still needs a domain. */
export function attentionRamp({ signed }: Patterns, most: number, theme: Theme): Ramp {
  const high = most > 0 ? most : 1;
  const kind = signed ? "diverging" : "sequential";
  return makeRamp({ kind, low: signed ? -high : 0, high, reverse: false, log: false }, theme);
}

/** Of the numbers of a difference: the one that stands for 0, and the one for "not applicable". */
const ZERO = 127;
const NONE = 255;

/** What a number of the overview stands for, as a share of its head's largest value. */
const shareOf = ({ signed }: Patterns, number: number): number =>
  !signed ? number / 255 : number === NONE ? Number.NaN : (number - ZERO) / ZERO;

/** The top of the scale of one head: its own maximum, or that of all heads. */
export const scaleHigh = (
  result: Patterns,
  weighting: Weighting,
  perHead: boolean,
  ref: HeadRef,
): number => (perHead ? headHigh(result, weighting, ref) : commonHigh(result, weighting));

/** One head's overview as values, by extremes where it is finer than `most` pixels; NaN: masked. */
export function thumbnailValues(
  result: Patterns,
  weighting: Weighting,
  ref: HeadRef,
  most: number,
): { side: number; values: Float32Array } {
  const t = result.overview.shape[4] ?? 0;
  const step = Math.max(1, Math.ceil(t / most));
  const side = Math.ceil(t / step);
  const head =
    weightingIndex(weighting) * result.n_layers * result.n_heads + headIndex(result, ref);
  const high = headHigh(result, weighting, ref);
  const values = new Float32Array(side * side).fill(Number.NaN);
  for (let row = 0; row < t; row++) {
    const end = result.causal ? row + 1 : t;
    for (let column = 0; column < end; column++) {
      const value =
        shareOf(result, result.overview.data[(head * t + row) * t + column] ?? 0) * high;
      const at = Math.floor(row / step) * side + Math.floor(column / step);
      if (outdoes(value, values[at] as number)) values[at] = value;
    }
  }
  return { side, values };
}

/** Thumbnails by head, each made once, when first seen. */
export function makeThumbnails(
  result: Patterns,
  weighting: Weighting,
  perHead: boolean,
  theme: Theme,
  devicePixels: number,
): (ref: HeadRef) => Thumbnail {
  const made = new Map<number, Thumbnail>();
  const common = attentionRamp(result, commonHigh(result, weighting), theme);
  return (ref) => {
    const index = headIndex(result, ref);
    const known = made.get(index);
    if (known) return known;
    const { side, values } = thumbnailValues(result, weighting, ref, devicePixels);
    const ramp = perHead ? attentionRamp(result, headHigh(result, weighting, ref), theme) : common;
    const thumbnail = { side, rgba: pixels(values, ramp, theme) };
    made.set(index, thumbnail);
    return thumbnail;
  };
}
