// What nodes are, and their names: the same as `GraphNode.name` in Python gives.
import type { CircuitGraph } from "../../wire/types";

export const NODE_KINDS = [
  "embed",
  "head",
  "kv_head",
  "mlp",
  "neuron",
  "logits",
  "token",
  "feature",
  "error",
  "logit",
  "attention_feature",
  "attention_error",
  "bias",
  "other",
] as const;

export type NodeKind = (typeof NODE_KINDS)[number];

/** Of a head's inputs, by number; "" for no head. */
export const EDGE_INPUTS = ["", "q", "k", "v"] as const;

const NAMES: Record<NodeKind, (layer: number, unit: number) => string> = {
  embed: () => "embed",
  head: (layer, unit) => `L${layer}H${unit}`,
  kv_head: (layer, unit) => `L${layer}KV${unit}`,
  mlp: (layer) => `MLP${layer}`,
  neuron: (layer, unit) => `L${layer}N${unit}`,
  logits: () => "logits",
  token: () => "token",
  feature: (layer, unit) => `L${layer}F${unit}`,
  error: (layer) => `L${layer}error`,
  logit: (_, unit) => `logit${unit}`,
  attention_feature: (layer, unit) => `L${layer}A${unit}`,
  attention_error: (layer) => `L${layer}Aerror`,
  bias: (layer) => `L${layer}bias`,
  other: (_, unit) => `other${unit}`,
};

export function kindOf({ nodes }: CircuitGraph, node: number): NodeKind {
  return NODE_KINDS[nodes.kind.data[node] ?? 0] ?? "other";
}

export function nodeName(graph: CircuitGraph, node: number): string {
  const { layer, position, unit } = graph.nodes;
  const name = NAMES[kindOf(graph, node)](layer.data[node] ?? -1, unit.data[node] ?? -1);
  const at = position.data[node] ?? -1;
  return at < 0 ? name : `${name}@${at}`;
}
