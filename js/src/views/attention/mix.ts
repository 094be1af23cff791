// Several heads as one pattern: mean or maximum over the heads of a layer, or of all.
import type { Patterns } from "../../wire/types";
import { allHeads, type HeadRef, heldHead } from "./heads";
import { srcFactor, type Weighting } from "./weighting";

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

/** The mix from heads held in full, weighted head by head; null where one is not held. */
export function localMix(result: Patterns, mix: Mix, weighting: Weighting): Float32Array | null {
  const refs = allHeads(result).filter(({ layer }) => mix.layer === null || layer === mix.layer);
  const held = refs.map((ref) => heldHead(result, ref)?.weights.data as Float32Array | undefined);
  const [first] = held;
  if (!first) return null;
  const out = new Float32Array(first.length);
  const n = Math.sqrt(first.length);
  for (const [i, ref] of refs.entries()) {
    const weights = held[i];
    if (!weights) return null;
    const factor = srcFactor(result, weighting, ref);
    for (let at = 0; at < out.length; at++) {
      const value = (weights[at] as number) * (factor ? (factor[at % n] as number) : 1);
      if (mix.reduce === "mean") out[at] = (out[at] as number) + value / refs.length;
      else if (value > (out[at] as number)) out[at] = value;
    }
  }
  return out;
}
