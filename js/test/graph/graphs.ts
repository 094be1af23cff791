// Graphs for tests: the one that Python wrote, and random ones.

import { NODE_KINDS, type NodeKind } from "../../src/views/graph/names";
import { decodeResult } from "../../src/wire/decode";
import type { CircuitGraph, NdArray } from "../../src/wire/types";
import { golden } from "../wire/golden";

export const goldenGraph = (): CircuitGraph =>
  decodeResult(golden("circuit_graph")) as CircuitGraph;

type NodeRow = [kind: NodeKind, layer: number, position: number, unit: number, kvHead?: number];
type EdgeRow = [source: number, target: number, weight: number, input?: number];

const array = (dtype: NdArray["dtype"], values: readonly number[]): NdArray => ({
  dtype,
  shape: [values.length],
  data:
    dtype === "float32"
      ? Float32Array.from(values)
      : dtype === "int32"
        ? Int32Array.from(values)
        : Uint8Array.from(values),
});

export function makeGraph(
  family: CircuitGraph["family"],
  nodes: readonly NodeRow[],
  edges: readonly EdgeRow[],
): CircuitGraph {
  const base = goldenGraph();
  return {
    ...base,
    family,
    nodes: {
      kind: array(
        "uint8",
        nodes.map(([kind]) => NODE_KINDS.indexOf(kind)),
      ),
      layer: array(
        "int32",
        nodes.map((row) => row[1]),
      ),
      position: array(
        "int32",
        nodes.map((row) => row[2]),
      ),
      unit: array(
        "int32",
        nodes.map((row) => row[3]),
      ),
      kv_head: array(
        "int32",
        nodes.map((row) => row[4] ?? -1),
      ),
    },
    edges: {
      source: array(
        "int32",
        edges.map(([source]) => source),
      ),
      target: array(
        "int32",
        edges.map(([, target]) => target),
      ),
      input: array(
        "uint8",
        edges.map((row) => row[3] ?? 0),
      ),
      kept: array(
        "uint8",
        edges.map(() => 1),
      ),
    },
    measures: [
      {
        name: "effect",
        title: "Effect",
        unit: "logits",
        definition: "",
        values: array(
          "float32",
          edges.map((row) => row[2]),
        ),
      },
    ],
    node_measures: [],
    texts: {},
    marks: { pinned: [], groups: [], labels: {}, places: [], threshold: {} },
    pruning: { rule: "all", value: 0, measure: "effect", signed: false, edge_value: null },
    nodes_in_all: nodes.length,
    edges_in_all: edges.length,
  };
}

/** Numbers between 0 and 1, the same at each run. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** An attribution graph over four tokens. */
export function randomGraph(nodes: number, edges: number, layers = 6, seed = 1): CircuitGraph {
  const next = random(seed);
  const rows: NodeRow[] = [0, 1, 2, 3].map((position) => ["token", -1, position, -1]);
  for (let unit = 0; rows.length < nodes - 2; unit++) {
    const layer = Math.floor(next() * layers);
    rows.push(["feature", layer, Math.floor(next() * 4), unit]);
  }
  rows.push(["logit", -1, 3, 10], ["logit", -1, 3, 11]);
  const level = ([kind, layer]: NodeRow): number => (kind === "logit" ? layers : layer);
  const found = new Map<string, EdgeRow>();
  while (found.size < edges) {
    const [s, t] = [Math.floor(next() * nodes), Math.floor(next() * nodes)];
    const [from, to] = [rows[s], rows[t]];
    if (!from || !to || level(from) >= level(to) || from[2] > to[2]) continue;
    found.set(`${s} ${t}`, [s, t, next() ** 3 * (next() < 0.4 ? -1 : 1)]);
  }
  return makeGraph("attribution", rows, [...found.values()]);
}

/** A head between embedding and logits. */
export const smallCircuit = (): CircuitGraph =>
  makeGraph(
    "components",
    [
      ["embed", -1, -1, -1],
      ["head", 2, -1, 5],
      ["logits", -1, -1, -1],
    ],
    [
      [0, 1, 1, 1],
      [1, 2, 1],
    ],
  );
