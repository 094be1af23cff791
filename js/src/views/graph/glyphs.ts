// The shape of a node tells its kind without colour.
import type { NodeKind } from "./names";

export type Shape =
  | "circle"
  | "ring"
  | "diamond"
  | "hollow diamond"
  | "square"
  | "hexagon"
  | "triangle"
  | "cross"
  | "box";

export const SHAPES: Record<NodeKind, Shape> = {
  embed: "square",
  token: "square",
  logit: "square",
  logits: "square",
  head: "circle",
  feature: "circle",
  kv_head: "ring",
  attention_feature: "ring",
  error: "diamond",
  attention_error: "hollow diamond",
  mlp: "hexagon",
  neuron: "triangle",
  bias: "cross",
  other: "cross",
};

export const KIND_WORDS: Record<NodeKind, string> = {
  embed: "embeddings",
  token: "token",
  logit: "logit",
  logits: "logits",
  head: "head",
  feature: "feature",
  kv_head: "key-value head",
  attention_feature: "attention feature",
  error: "error",
  attention_error: "attention error",
  mlp: "MLP",
  neuron: "neuron",
  bias: "bias",
  other: "other",
};

const n = (value: number): string => String(Math.round(value * 100) / 100);

function polygon(x: number, y: number, radius: number, corners: number, turn: number): string {
  const points = Array.from({ length: corners }, (_, i) => {
    const angle = ((i / corners + turn) * 2 - 0.5) * Math.PI;
    return `${n(x + radius * Math.cos(angle))},${n(y + radius * Math.sin(angle))}`;
  });
  return `M${points.join("L")}Z`;
}

/** SVG path data of a shape with about the area of a circle of `radius`. */
export function glyphPath(shape: Shape, x: number, y: number, radius: number): string {
  switch (shape) {
    case "square":
      return polygon(x, y, radius * 1.27, 4, 0.125);
    case "diamond":
    case "hollow diamond":
      return polygon(x, y, radius * 1.3, 4, 0);
    case "hexagon":
      return polygon(x, y, radius * 1.15, 6, 0);
    case "triangle":
      return polygon(x, y, radius * 1.4, 3, 0);
    case "cross":
      return `M${n(x - radius)},${n(y)}H${n(x + radius)}M${n(x)},${n(y - radius)}V${n(y + radius)}`;
    default: {
      const r = n(radius);
      return `M${n(x - radius)},${n(y)}a${r},${r} 0 1 1 ${n(2 * radius)},0a${r},${r} 0 1 1 ${n(-2 * radius)},0Z`;
    }
  }
}

export const isHollow = (shape: Shape): boolean =>
  shape === "ring" || shape === "hollow diamond" || shape === "cross";

export const boxPath = (x: number, y: number, wide: number, high: number): string =>
  `M${n(x - wide)},${n(y - high)}h${n(2 * wide)}v${n(2 * high)}h${n(-2 * wide)}Z`;
