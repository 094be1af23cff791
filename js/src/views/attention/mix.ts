// Several heads as one pattern: mean or maximum over the heads of a layer, or of all.
import type { Patterns } from "../../wire/types";
import { allHeads, type HeadRef, heldHead } from "./heads";
import { heldMatrix } from "./panel-data";
import { outdoes, type Weighting } from "./weighting";

export const MIXES = [
  { name: "head", title: "Selected head", reduce: null, all: false },
  { name: "mean_layer", title: "Mean over its layer", reduce: "mean", all: false },
  { name: "max_layer", title: "Max over its layer", reduce: "max", all: false },
  { name: "mean_all", title: "Mean over all heads", reduce: "mean", all: true },
  { name: "max_all", title: "Max over all heads", reduce: "max", all: true },
] as const;

export type MixChoice = (typeof MIXES)[number]["name"];
export type Reduce = "mean" | "max";

/** Over the heads of `layer`; null: of all layers. */
export interface Mix {
  reduce: Reduce;
  layer: number | null;
}

export function mixOf(choice: MixChoice, primary: HeadRef): Mix | null {
  const found = MIXES.find(({ name }) => name === choice);
  if (!found || found.reduce === null) return null;
  return { reduce: found.reduce, layer: found.all ? null : primary.layer };
}

export function mixTitle({ reduce, layer }: Mix): string {
  const over = layer === null ? "all heads" : `the heads of layer ${layer}`;
  return `${reduce === "mean" ? "Mean" : "Maximum"} over ${over}`;
}

/** The mix from heads held in full, weighted head by head; null where one is not held. The maximum is
 * what is furthest from 0. */
export function localMix(result: Patterns, mix: Mix, weighting: Weighting): Float32Array | null {
  const refs = allHeads(result).filter(({ layer }) => mix.layer === null || layer === mix.layer);
  const held = refs.flatMap((ref) => heldHead(result, ref) ?? []);
  if (held.length < refs.length) return null;
  const n = result.value_norm.shape[2] ?? 0;
  const out = new Float32Array(n * n);
  for (const head of held) {
    const { weights, factor } = heldMatrix(result, head, weighting);
    for (let at = 0; at < out.length; at++) {
      const value = (weights[at] as number) * (factor ? (factor[at % n] as number) : 1);
      if (mix.reduce === "mean") out[at] = (out[at] as number) + value / refs.length;
      else if (outdoes(value, out[at] as number) || Number.isNaN(value)) out[at] = value;
    }
  }
  return out;
}
