// A `CircuitGraph` as the view works on it: names, weights, who reads whom.
import type { CircuitGraph } from "../../wire/types";
import { kindOf, type NodeKind, nodeName } from "./names";

/** Edges by node, in one list: those of `node` are `edges[start[node]]` up to `edges[start[node + 1]]`. */
export interface Adjacency {
  start: Int32Array;
  edges: Int32Array;
}

export interface Graph {
  result: CircuitGraph;
  nodes: number;
  edges: number;
  names: readonly string[];
  /** Nodes by name. */
  index: ReadonlyMap<string, number>;
  kinds: readonly NodeKind[];
  layer: Int32Array;
  /** -1: of all positions. */
  position: Int32Array;
  unit: Int32Array;
  /** Where a node stands between embeddings and logits; edges go up. */
  order: Float64Array;
  source: Int32Array;
  target: Int32Array;
  /** The first measure, 0 where it was not computed. */
  weight: Float64Array;
  /** Sum of the magnitudes of all that flows into a node. */
  inflow: Float64Array;
  /** An edge's weight as a share of the magnitudes that flow into its target, signed. */
  share: Float64Array;
  incoming: Adjacency;
  outgoing: Adjacency;
}

/** Where in its block a kind stands; others with the MLP. */
const IN_BLOCK: Partial<Record<NodeKind, number>> = {
  head: 0,
  kv_head: 0,
  attention_feature: 0,
  attention_error: 0,
  other: 0.25,
};
const ENDS: Partial<Record<NodeKind, number>> = {
  embed: -1,
  token: -1,
  bias: -1,
  logit: Number.POSITIVE_INFINITY,
  logits: Number.POSITIVE_INFINITY,
};

function orderOf(kind: NodeKind, layer: number): number {
  const end = ENDS[kind];
  if (end !== undefined) return end;
  if (layer < 0) return -1;
  return layer + (IN_BLOCK[kind] ?? 0.5);
}

const ints = (data: ArrayLike<number>): Int32Array => Int32Array.from(data);

export function adjacency(end: Int32Array, nodes: number): Adjacency {
  const start = new Int32Array(nodes + 1);
  for (const node of end) start[node + 1] = (start[node + 1] ?? 0) + 1;
  for (let node = 0; node < nodes; node++) {
    start[node + 1] = (start[node + 1] ?? 0) + (start[node] ?? 0);
  }
  const next = start.slice();
  const edges = new Int32Array(end.length);
  for (let edge = 0; edge < end.length; edge++) {
    const node = end[edge] ?? 0;
    const at = next[node] ?? 0;
    edges[at] = edge;
    next[node] = at + 1;
  }
  return { start, edges };
}

/** The edges of one node. */
export const edgesOf = ({ start, edges }: Adjacency, node: number): Int32Array =>
  edges.subarray(start[node], start[node + 1]);

/** A measure of the nodes by name, where the graph has it. */
export const nodeMeasure = (result: CircuitGraph, name: string): ArrayLike<number> | undefined =>
  result.node_measures.find((measure) => measure.name === name)?.values.data;

export function readGraph(result: CircuitGraph): Graph {
  const nodes = result.nodes.kind.data.length;
  const source = ints(result.edges.source.data);
  const target = ints(result.edges.target.data);
  const edges = source.length;
  const kinds = Array.from({ length: nodes }, (_, node) => kindOf(result, node));
  const names = Array.from({ length: nodes }, (_, node) => nodeName(result, node));
  const layer = ints(result.nodes.layer.data);
  const measured = result.measures[0]?.values.data ?? [];
  const weight = Float64Array.from({ length: edges }, (_, edge) => measured[edge] || 0);
  const inflow = new Float64Array(nodes);
  for (let edge = 0; edge < edges; edge++) {
    const node = target[edge] ?? 0;
    inflow[node] = (inflow[node] ?? 0) + Math.abs(weight[edge] ?? 0);
  }
  // What flows in along edges that were left out counts too, where it is known.
  const all = nodeMeasure(result, "inflow");
  if (all) {
    for (let node = 0; node < nodes; node++) {
      inflow[node] = Math.max(inflow[node] ?? 0, all[node] || 0);
    }
  }
  return {
    result,
    nodes,
    edges,
    names,
    index: new Map(names.map((name, node) => [name, node])),
    kinds,
    layer,
    position: ints(result.nodes.position.data),
    unit: ints(result.nodes.unit.data),
    order: Float64Array.from(kinds, (kind, node) => orderOf(kind, layer[node] ?? -1)),
    source,
    target,
    weight,
    inflow,
    share: weight.map((value, edge) => value / (inflow[target[edge] ?? 0] || 1)),
    incoming: adjacency(target, nodes),
    outgoing: adjacency(source, nodes),
  };
}
