// The matrix of a head or a mix: from the result, from the kernel, or not to be had.
import type { HeadPattern, Patterns } from "../../wire/types";
import { type HeadRef, heldHead } from "./heads";
import type { Matrix } from "./matrix";
import type { Mix } from "./mix";
import type { Slice, SliceRequest } from "./slices";
import { srcFactor, WEIGHTINGS, type Weighting, weightingIndex } from "./weighting";

export type PanelData = { state: "ready"; matrix: Matrix } | Exclude<Slice, { state: "ready" }>;

/** Of a difference the head comes in every weighting. */
export function headRequest(result: Patterns, { layer, head }: HeadRef): SliceRequest {
  const n = result.value_norm.shape[2] ?? 0;
  const length = n * n * (result.signed ? WEIGHTINGS.length : 1);
  return { key: `head ${layer} ${head}`, what: "head", params: { layer, head }, length };
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

/** A matrix of plain attention, weighted as it is read. The same weights and weighting give the same
 * object, so that nothing is painted twice. */
export function matrixOf(
  result: Patterns,
  weights: Float32Array,
  weighting: Weighting,
  ref: HeadRef | null,
): Matrix {
  return kept(result, weights, weighting, () => ({
    weights,
    factor: ref && srcFactor(result, weighting, ref),
  }));
}

/** The matrix of a weighting that is the one at `at` of several, one after the other. */
function planeOf(result: Patterns, planes: Float32Array, at: number, weighting: Weighting): Matrix {
  return kept(result, planes, weighting, () => {
    const size = (result.value_norm.shape[2] ?? 0) ** 2;
    return { weights: planes.subarray(at * size, (at + 1) * size), factor: null };
  });
}

function kept(
  result: Patterns,
  weights: Float32Array,
  weighting: Weighting,
  make: () => Pick<Matrix, "weights" | "factor">,
): Matrix {
  const known = matrices.get(weights) ?? new Map<Weighting, Matrix>();
  matrices.set(weights, known);
  const found = known.get(weighting);
  if (found) return found;
  const made = { n: result.value_norm.shape[2] ?? 0, causal: result.causal, ...make() };
  known.set(weighting, made);
  return made;
}

/** A head that is held in full. */
export function heldMatrix(result: Patterns, held: HeadPattern, weighting: Weighting): Matrix {
  const weights = held.weights.data as Float32Array;
  const planes = held.weighted?.data as Float32Array | undefined;
  return planes && weighting !== "attention"
    ? planeOf(result, planes, weightingIndex(weighting) - 1, weighting)
    : matrixOf(result, weights, weighting, planes ? null : held);
}

export function headData(
  result: Patterns,
  ref: HeadRef,
  weighting: Weighting,
  read: (key: string) => Slice,
): PanelData {
  const held = heldHead(result, ref);
  if (held) return { state: "ready", matrix: heldMatrix(result, held, weighting) };
  const slice = read(headRequest(result, ref).key);
  if (slice.state !== "ready") return slice;
  const matrix = result.signed
    ? planeOf(result, slice.values, weightingIndex(weighting), weighting)
    : matrixOf(result, slice.values, weighting, ref);
  return { state: "ready", matrix };
}
