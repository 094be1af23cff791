// What a cell shows: the attention weight alone, or times how much the source has to give.
import type { Patterns, ViewOptions } from "../../wire/types";
import { readScales, type Scales } from "../scales";
import { type HeadRef, headIndex } from "./heads";

/** In the order of the first axis of `Patterns.overview`. */
export const WEIGHTINGS = [
  {
    name: "attention",
    title: "Attention",
    label: "attention",
    definition: "attention weight; every dest row sums to 1",
  },
  {
    name: "value",
    title: "× value norm",
    label: "attention × ‖v‖",
    definition: "attention weight × L2 norm of the source's value vector",
  },
  {
    name: "output",
    title: "× output norm",
    label: "attention × ‖v W_O‖",
    definition: "attention weight × L2 norm of the source's value vector after W_O",
  },
] as const;

export type Weighting = (typeof WEIGHTINGS)[number]["name"];

export const weightingIndex = (weighting: Weighting): number =>
  WEIGHTINGS.findIndex(({ name }) => name === weighting);

/** How a weighting is called in a result: in a difference every quantity is one. */
export function weightingInfo(
  { signed, provenance }: Patterns,
  weighting: Weighting,
): { label: string; definition: string } {
  const { label, definition } = WEIGHTINGS[weightingIndex(weighting)] ?? WEIGHTINGS[0];
  return signed
    ? { label: `Δ ${label}`, definition: `difference of the ${definition}. ${provenance.sign}` }
    : { label, definition };
}

/** Factor per source position; null: all ones. */
export function srcFactor(
  result: Patterns,
  weighting: Weighting,
  ref: HeadRef,
): Float32Array | null {
  if (weighting === "attention") return null;
  const norms = weighting === "value" ? result.value_norm : result.output_norm;
  const n = norms.shape[2] ?? 0;
  const at = headIndex(result, ref) * n;
  return (norms.data as Float32Array).subarray(at, at + n);
}

/** The largest value of one head. */
export function headHigh(result: Patterns, weighting: Weighting, ref: HeadRef): number {
  const plane = weightingIndex(weighting) * result.n_layers * result.n_heads;
  return result.overview_max.data[plane + headIndex(result, ref)] ?? 0;
}

/** Patterns whose common scales end elsewhere than at their own largest values. */
interface Scaled extends Patterns {
  scales?: Scales;
}

/** `result` on the scales that the style options give, if they give any. */
export const scaled = (result: Patterns, options: ViewOptions): Scaled => ({
  ...result,
  scales: readScales(options),
});

/** The top of the scale that all heads share: the largest value of any, unless another is given. */
export function commonHigh(result: Scaled, weighting: Weighting): number {
  const domain = result.scales?.[weighting];
  if (domain) return domain[1];
  const size = result.n_layers * result.n_heads;
  const plane = weightingIndex(weighting) * size;
  return largest((result.overview_max.data as Float32Array).subarray(plane, plane + size));
}

/** Whether `value` is further from 0 than `best`; NaN is nearest. */
export const outdoes = (value: number, best: number): boolean =>
  !Number.isNaN(value) && !(Math.abs(best) >= Math.abs(value));

/** The largest magnitude among some values. */
export const largest = (values: Float32Array): number =>
  values.reduce((high, value) => (outdoes(value, high) ? Math.abs(value) : high), 0);
