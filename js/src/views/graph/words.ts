// What the view says about nodes and edges.
import { formatNumber } from "../../draw/text";
import { tokenGlyphs } from "../../state/tokens";
import type { Group } from "../../wire/types";
import { KIND_WORDS } from "./glyphs";
import type { Item, Picture } from "./groups";
import type { Graph } from "./model";
import { EDGE_INPUTS } from "./names";

export interface Naming {
  graph: Graph;
  labels: Readonly<Record<string, string>>;
  groups: readonly Group[];
}

export const tokenAt = (graph: Graph, position: number): string | undefined =>
  graph.result.provenance.prompts[0]?.tokens[position];

/** What a node stands for: a token, a logit's token, a feature's explanation. */
export function textOf(graph: Graph, node: number): string | undefined {
  const text = graph.result.texts[graph.names[node] ?? ""];
  if (text !== undefined) return text;
  const position = graph.position[node] ?? -1;
  return graph.kinds[node] === "token" ? tokenAt(graph, position) : undefined;
}

const isVerbatim = (graph: Graph, node: number): boolean =>
  graph.kinds[node] === "token" || graph.kinds[node] === "logit";

/** The few words under an item, invisible characters made visible. */
export function shortLabel({ graph, labels, groups }: Naming, item: Item): string {
  if (item.group >= 0) return tokenGlyphs(groups[item.group]?.label ?? "", 40);
  const given = labels[item.key];
  if (given) return tokenGlyphs(given, 40);
  const text = textOf(graph, item.node);
  if (text !== undefined) return tokenGlyphs(text, 40);
  // The column says the position.
  return item.key.split("@")[0] ?? "";
}

/** One line that says all about what an item is. */
export function describe(naming: Naming, item: Item): string {
  const { graph, labels, groups } = naming;
  if (item.group >= 0) {
    const { label, nodes } = groups[item.group] ?? { label: "", nodes: [] };
    return `group ${tokenGlyphs(label)}, ${nodes.length} nodes`;
  }
  const position = graph.position[item.node] ?? -1;
  const token = tokenAt(graph, position);
  const text = labels[item.key] || textOf(graph, item.node);
  const at = token === undefined ? "" : `, at ${tokenGlyphs(token)}`;
  const kind = KIND_WORDS[graph.kinds[item.node] ?? "other"];
  const stands = text && !(isVerbatim(graph, item.node) && text === token);
  return `${kind} ${item.key}${stands ? `, ${tokenGlyphs(text)}` : ""}${at}`;
}

/** Activation, probability and influence, where a node has them. */
export function nodeFacts(graph: Graph, node: number): { title: string; value: string }[] {
  return graph.result.node_measures.flatMap(({ title, unit, values }) => {
    const value = values.data[node];
    if (value === undefined || Number.isNaN(value)) return [];
    return [{ title, value: unit === "probability" ? percent(value) : formatNumber(value) }];
  });
}

export const percent = (share: number): string => {
  const size = Math.abs(share) * 100;
  const digits = size >= 10 ? size.toFixed(0) : size.toFixed(1);
  return `${share < 0 ? "−" : ""}${digits}%`;
};

export const signed = (value: number): string => (value > 0 ? "+" : "") + formatNumber(value);

/** The q, k or v that a link goes into; empty where it is several edges. */
export function linkInput(graph: Graph, picture: Picture, link: number): string {
  const ends = [picture.source[link], picture.target[link]];
  if (ends.some((end) => picture.items[end ?? 0]?.group !== -1)) return "";
  return EDGE_INPUTS[graph.result.edges.input.data[picture.edge[link] ?? 0] ?? 0] ?? "";
}

/** Of edges that are there for what is pinned. */
export const PRUNED = "pruned";

/** One line that says what a link is. */
export function describeLink(naming: Naming, picture: Picture, link: number): string {
  const [source, target] = [picture.source[link], picture.target[link]].map((end) => {
    const item = picture.items[end ?? 0];
    return item ? shortLabel(naming, item) : "";
  });
  const input = linkInput(naming.graph, picture, link);
  const [measure] = naming.graph.result.measures;
  const weight = `${signed(picture.weight[link] ?? 0)} ${measure?.unit ?? ""}`.trim();
  const out = picture.outside[link] ? `, ${PRUNED}` : "";
  return `edge ${source} to ${target}${input && ` (${input})`}, ${weight}, ${percent(picture.share[link] ?? 0)}${out}`;
}

/** Links of an item, the largest first. */
export function ranked(picture: Picture, links: Int32Array): number[] {
  const size = (link: number): number => Math.abs(picture.weight[link] ?? 0);
  return [...links].sort((a, b) => size(b) - size(a));
}

/** The first of a list in order of size, without what is next to nothing beside the first of all. */
export function largest<T extends { value: number }>(parts: readonly T[], most: number): T[] {
  const least = LEAST * Math.abs(parts[0]?.value ?? 0);
  return parts.slice(0, most).filter(({ value }) => Math.abs(value) > least);
}

const LEAST = 1e-3;
