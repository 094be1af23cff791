// Small grids with known numbers.
import type { Axis, Grid, Measure, NdArray, Provenance, Scale } from "../../src/wire/types";

/** Numbers in [0, 1), the same for the same seed. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export const TOKENS = ["When", " Mary", " and", " John", " went", "\n", " <b>", "日本"];

export const axis = (name: string, labels: string[], more: Partial<Axis> = {}): Axis => ({
  name,
  labels,
  tokens: false,
  selects: null,
  indices: null,
  components: null,
  ...more,
});

const floats = (shape: number[], data: number[]): NdArray => ({
  dtype: "float32",
  shape,
  data: Float32Array.from(data),
});

const provenance: Provenance = {
  analysis: "logit_lens",
  model: "demo",
  architecture: "GPT2LMHeadModel",
  dtype: "float32",
  device: "cpu",
  processed_weights: true,
  prompts: [{ text: TOKENS.join(""), tokens: TOKENS, token_ids: TOKENS.map((_, i) => i) }],
  parameters: {},
  sign: "Positive raises the answer.",
  normalisation: "Final norm applied.",
  versions: {},
  revision: null,
  fingerprint: null,
  seed: null,
  notes: [],
  user_hooks: [],
  interventions: [],
  sources: [],
};

function measure(name: string, unit: string, values: NdArray, scale: Partial<Scale>): Measure {
  return {
    name,
    title: name[0]?.toUpperCase() + name.slice(1),
    unit,
    definition: "As the test says.",
    values,
    scale: { kind: "sequential", low: 0, high: 1, reverse: false, log: false, ...scale },
  };
}

/** Read-outs by positions. The probability of cell (row, column) is (row * columns + column) /
 * cells; its best token has id (row + column) modulo the number of tokens. */
export function lensGrid(layers: number, tokens: string[] = TOKENS): Grid {
  const shape = [layers, tokens.length];
  const cells = layers * tokens.length;
  const columns = tokens.length;
  const every = Array.from({ length: cells }, (_, i) => i);
  const ids = every.flatMap((i) => {
    const best = (Math.floor(i / columns) + (i % columns)) % TOKENS.length;
    return [best, (best + 1) % TOKENS.length];
  });
  return {
    title: "Logit lens",
    axes: [
      axis(
        "read_out",
        Array.from({ length: layers }, (_, i) => `L${i} resid_post`),
        { selects: "layer", indices: Array.from({ length: layers }, (_, i) => i) },
      ),
      axis("position", tokens, { tokens: true, selects: "token" }),
    ],
    measures: [
      measure(
        "probability",
        "probability",
        floats(
          shape,
          every.map((i) => i / cells),
        ),
        {},
      ),
      measure(
        "rank",
        "rank",
        floats(
          shape,
          every.map((i) => cells - 1 - i),
        ),
        {
          high: cells - 1,
          reverse: true,
          log: true,
        },
      ),
    ],
    provenance,
    top: {
      ids: { dtype: "int32", shape: [...shape, 2], data: Int32Array.from(ids) },
      values: floats(
        [...shape, 2],
        every.flatMap((i) => [i / cells, i / cells / 2]),
      ),
      texts: Object.fromEntries(TOKENS.map((text, i) => [String(i), text])),
    },
    identity: null,
    next_tokens: [],
    states: null,
    alignment: null,
    baselines: [],
    drawn: "heatmap",
    stretches: [],
    kind: "grid",
  };
}

/** Components by positions, signed; the first position is not applicable. */
export function attributionGrid(): Grid {
  const components = ["embed", "L0 attn_out", "L0 mlp_out", "L1 attn_out", "L1 mlp_out", "bias"];
  const tokens = TOKENS.slice(0, 4);
  const shape = [components.length, tokens.length];
  const values = components.flatMap((_, row) =>
    tokens.map((_, column) => (column === 0 ? Number.NaN : (row - 2.5) * column)),
  );
  const last = components.map((label, row) => ({ label, value: (row - 2.5) * 3 }));
  return {
    title: "Direct logit attribution",
    axes: [
      axis("component", components, { selects: "layer", indices: [null, 0, 0, 1, 1, null] }),
      axis("position", tokens, { tokens: true, selects: "token" }),
    ],
    measures: [
      measure("contribution", "logits", floats(shape, values), {
        kind: "diverging",
        low: -8,
        high: 8,
      }),
    ],
    provenance,
    top: null,
    identity: { terms: last, target: { label: "logit", value: 0 }, residue: 3e-6, checked: 3 },
    next_tokens: [],
    states: null,
    alignment: null,
    baselines: [],
    drawn: "heatmap",
    stretches: [],
    kind: "grid",
  };
}

/** Two metrics by layers by heads: value = metric * 100 + layer * 10 + head. */
export function headGrid(layers: number, heads: number): Grid {
  const values = [0, 1].flatMap((metric) =>
    Array.from(
      { length: layers * heads },
      (_, i) => metric * 100 + Math.floor(i / heads) * 10 + (i % heads),
    ),
  );
  const names = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));
  return {
    ...attributionGrid(),
    title: "Head scores",
    axes: [
      axis("metric", ["induction", "previous"]),
      axis("layer", names(layers), { selects: "layer" }),
      axis("head", names(heads), { selects: "head" }),
    ],
    measures: [measure("score", "", floats([2, layers, heads], values), { high: 150 })],
    identity: null,
  };
}

/** Three layers of a patching map over the first five tokens, of which the last meets none of the
 * other prompt's. The effect of cell (row, column) is (row + 1) * column / 12; estimates are twice
 * that. L0 is exact, L1 estimated, L2 waits. */
export function patchGrid(): Grid {
  const tokens = TOKENS.slice(0, 5);
  const other = ["When", " Tom", " and", " John"];
  const shape = [3, tokens.length];
  const cells = Array.from({ length: 15 }, (_, i) => ({ row: Math.floor(i / 5), column: i % 5 }));
  const where = (known: (row: number) => boolean, scaled: number): NdArray =>
    floats(
      shape,
      cells.map(({ row, column }) =>
        column < 4 && known(row) ? ((row + 1) * column * scaled) / 12 : Number.NaN,
      ),
    );
  const signed = { kind: "diverging", low: -1, high: 1 } as const;
  const ids = (prompt: string[]): number[] => prompt.map((_, i) => i);
  return {
    ...attributionGrid(),
    title: "Activation patching",
    axes: [
      axis("layer", ["L0", "L1", "L2"], { selects: "layer" }),
      axis("position", tokens, { tokens: true, selects: "token" }),
    ],
    measures: [
      measure(
        "effect",
        "",
        where((row) => row < 2, 1),
        signed,
      ),
      measure(
        "metric",
        "logits",
        where((row) => row < 1, 6),
        { high: 3 },
      ),
      measure(
        "estimate",
        "",
        where((row) => row < 2, 2),
        signed,
      ),
    ],
    provenance: {
      ...provenance,
      analysis: "activation_patching",
      prompts: [other, tokens].map((prompt) => ({
        text: prompt.join(""),
        tokens: prompt,
        token_ids: ids(prompt),
      })),
      parameters: { metric: "logit_diff", pinned: "[]" },
    },
    identity: null,
    states: {
      dtype: "uint8",
      shape,
      data: Uint8Array.from(cells.map(({ row, column }) => (column < 4 ? 3 - row : 0))),
    },
    alignment: {
      source: { dtype: "int32", shape: [5], data: Int32Array.of(0, 1, 2, 3, -1) },
      shown: 1,
      given: false,
    },
    baselines: [
      { label: "clean", value: 5 },
      { label: "corrupted", value: -1 },
    ],
  };
}
