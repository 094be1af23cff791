// The matrix of a head or a mix: from the result, from the kernel, or not to be had.
import type { Patterns } from "../../wire/types";
import { type HeadRef, heldHead } from "./heads";
import type { Matrix } from "./matrix";
import type { Mix } from "./mix";
import type { Slice, SliceRequest } from "./slices";
import { srcFactor, type Weighting } from "./weighting";

export type PanelData = { state: "ready"; matrix: Matrix } | Exclude<Slice, { state: "ready" }>;

export function headRequest(result: Patterns, { layer, head }: HeadRef): SliceRequest {
  const n = result.value_norm.shape[2] ?? 0;
  return { key: `head ${layer} ${head}`, what: "head", params: { layer, head }, length: n * n };
}

export function rowRequest(result: Patterns, { layer, head }: HeadRef, dest: number): SliceRequest {
  const length = result.value_norm.shape[2] ?? 0;
  return {
    key: `row ${layer} ${head} ${dest}`,
    what: "row",
    params: { layer, head, dest },
    length,
  };
}

export function mixRequest(result: Patterns, { reduce, layer }: Mix): SliceRequest {
  const n = result.value_norm.shape[2] ?? 0;
  return { key: `mix ${reduce} ${layer}`, what: "mix", params: { reduce, layer }, length: n * n };
}

const matrices = new WeakMap<Float32Array, Map<Weighting, Matrix>>();

/** The same weights and weighting give the same object, so that nothing is painted twice. */
export function matrixOf(
  result: Patterns,
  weights: Float32Array,
  weighting: Weighting,
  ref: HeadRef | null,
): Matrix {
  const known = matrices.get(weights) ?? new Map<Weighting, Matrix>();
  matrices.set(weights, known);
  const found = known.get(weighting);
  if (found) return found;
  const made = {
    n: result.value_norm.shape[2] ?? 0,
    weights,
    factor: ref && srcFactor(result, weighting, ref),
    causal: result.causal,
  };
  known.set(weighting, made);
  return made;
}

export function headData(
  result: Patterns,
  ref: HeadRef,
  weighting: Weighting,
  read: (key: string) => Slice,
): PanelData {
  const held = heldHead(result, ref);
  if (held) {
    const weights = held.weights.data as Float32Array;
    return { state: "ready", matrix: matrixOf(result, weights, weighting, ref) };
  }
  const slice = read(headRequest(result, ref).key);
  return slice.state === "ready"
    ? { state: "ready", matrix: matrixOf(result, slice.values, weighting, ref) }
    : slice;
}
