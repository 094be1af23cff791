// Small synthetic attention patterns whose every number can be worked out by hand.
import type { NdArray, Patterns } from "../../src/wire/types";
import { random } from "../heatmap/grids";

export { random };

export const array = (
  dtype: NdArray["dtype"],
  shape: number[],
  data: NdArray["data"],
): NdArray => ({ dtype, shape, data });

/** Causal rows that sum to 1, different for every head. */
export function weightsOf(layer: number, head: number, n: number): Float32Array {
  const next = random(1 + layer * 100 + head);
  const weights = new Float32Array(n * n);
  for (let dest = 0; dest < n; dest++) {
    const row = Array.from({ length: dest + 1 }, () => next() ** 4 + 0.001);
    const sum = row.reduce((total, value) => total + value, 0);
    row.forEach((value, src) => {
      weights[dest * n + src] = value / sum;
    });
  }
  return weights;
}

interface Size {
  layers?: number;
  heads?: number;
  /** Heads held in full: the first so many. */
  held?: number;
  tokens?: string[];
}

export const WORDS = ["<|endoftext|>", "When", " Mary", " and", " John"];

export function patterns(size: Size = {}): Patterns {
  const { layers = 2, heads = 3, held = 1, tokens = WORDS } = size;
  const n = tokens.length;
  const all = layers * heads;
  const ref = (i: number): [number, number] => [Math.floor(i / heads), i % heads];
  const norms = (seed: number): Float32Array => {
    const next = random(seed);
    return Float32Array.from({ length: all * n }, () => 0.5 + 2 * next());
  };
  const [value, output] = [norms(11), norms(12)];
  const overview = new Uint8Array(3 * all * n * n);
  const overviewMax = new Float32Array(3 * all);
  for (let plane = 0; plane < 3; plane++) {
    for (let i = 0; i < all; i++) {
      const factor = plane === 0 ? null : plane === 1 ? value : output;
      const cells = weightsOf(...ref(i), n).map((w, at) => w * (factor?.[i * n + (at % n)] ?? 1));
      const high = Math.max(...cells);
      overviewMax[plane * all + i] = high;
      cells.forEach((cell, at) => {
        overview[(plane * all + i) * n * n + at] = Math.round((255 * cell) / high);
      });
    }
  }
  const score = (name: string, title: string, high: number, values: number[]) => ({
    name,
    title,
    definition: `Definition of ${title}.`,
    high,
    values: array(
      "float32",
      [layers, heads],
      Float32Array.from({ length: all }, (_, i) => values[i] ?? 0),
    ),
  });
  return {
    kind: "patterns",
    title: "Attention patterns",
    n_layers: layers,
    n_heads: heads,
    causal: true,
    overview: array("uint8", [3, layers, heads, n, n], overview),
    overview_max: array("float32", [3, layers, heads], overviewMax),
    value_norm: array("float32", [layers, heads, n], value),
    output_norm: array("float32", [layers, heads, n], output),
    scores: [
      score("previous_token", "Previous token", 1, [0.9, 0.1, 0.5, 0.3, Number.NaN, 0.2]),
      score("induction", "Induction", 1, [0.1, 0.7, 0.6, 0.3, Number.NaN, 0.2]),
      score("entropy", "Entropy", Math.log(n), [0.2, 1.5, 1.6, 1.4, 1.3, 1.2]),
    ],
    heads: Array.from({ length: held }, (_, i) => {
      const [layer, head] = ref(i);
      const weights = array("float16", [n, n], weightsOf(layer, head, n));
      return { layer, head, weights, weighted: null };
    }),
    provenance: {
      analysis: "attention",
      model: "synthetic",
      architecture: "none",
      dtype: "float32",
      device: "cpu",
      processed_weights: false,
      prompts: [{ text: tokens.join(""), tokens, token_ids: tokens.map((_, i) => i) }],
      parameters: {},
      sign: "",
      normalisation: "",
      versions: {},
      revision: null,
      fingerprint: null,
      seed: null,
      notes: [],
      user_hooks: [],
      interventions: [],
      sources: [],
    },
    next_tokens: [],
    signed: false,
  };
}
