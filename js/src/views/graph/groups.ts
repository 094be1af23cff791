// The picture of a graph: its kept nodes, each group that is not open as one item, and the links
// between items with the sums of their edges.
import type { Group } from "../../wire/types";
import { type Adjacency, adjacency, type Graph } from "./model";
import { EDGE_INPUTS } from "./names";
import type { Pruned } from "./prune";

export interface Item {
  /** The node's name; a group's label in quotation marks, which no name has. */
  key: string;
  /** The node, or the one of the group in whose place it stands. */
  node: number;
  members: readonly number[];
  /** Index of the collapsed group; -1 for a single node. */
  group: number;
}

export interface Picture {
  items: readonly Item[];
  /** The item of each node; -1 where it is not shown. */
  itemOf: Int32Array;
  links: number;
  source: Int32Array;
  target: Int32Array;
  weight: Float64Array;
  share: Float64Array;
  /** An edge of each link, the strongest. */
  edge: Int32Array;
  /** How many edges each is. */
  edgeCount: Int32Array;
  /** 1 for links of edges that pruning left out, shown for what is pinned. */
  outside: Uint8Array;
  incoming: Adjacency;
  outgoing: Adjacency;
}

export const groupKey = (group: Group): string => `"${group.label}"`;

export const isTaken = (groups: readonly Group[], label: string): boolean =>
  groups.some((group) => group.label === label);

/** With one more group; a node is in one at most. */
export function withGroup(groups: readonly Group[], added: Group): Group[] {
  const rest = groups
    .map(({ label, nodes }) => ({ label, nodes: nodes.filter((n) => !added.nodes.includes(n)) }))
    .filter(({ nodes }) => nodes.length > 0);
  return [...rest, added];
}

export function makePicture(
  graph: Graph,
  pruned: Pruned,
  groups: readonly Group[],
  open: ReadonlySet<string>,
  circuit: Pruned = pruned,
): Picture {
  const itemOf = new Int32Array(graph.nodes).fill(-1);
  const items: Item[] = [];
  groups.forEach((group, index) => {
    if (open.has(group.label)) return;
    const members = group.nodes
      .map((name) => graph.index.get(name) ?? -1)
      .filter((node) => node >= 0 && pruned.nodes[node])
      .sort((a, b) => (graph.order[a] ?? 0) - (graph.order[b] ?? 0));
    const node = members[members.length >> 1];
    if (node === undefined) return;
    for (const member of members) itemOf[member] = items.length;
    items.push({ key: groupKey(group), node, members, group: index });
  });
  for (let node = 0; node < graph.nodes; node++) {
    if (!pruned.nodes[node] || itemOf[node] !== -1) continue;
    itemOf[node] = items.length;
    items.push({ key: graph.names[node] ?? "", node, members: [node], group: -1 });
  }
  return { items, itemOf, ...linksOf(graph, pruned, items, itemOf, circuit) };
}

function linksOf(
  graph: Graph,
  pruned: Pruned,
  items: readonly Item[],
  itemOf: Int32Array,
  circuit: Pruned,
) {
  const found = new Map<number, number>();
  const source: number[] = [];
  const target: number[] = [];
  const weight: number[] = [];
  const edge: number[] = [];
  const count: number[] = [];
  const outside: number[] = [];
  for (let at = 0; at < graph.edges; at++) {
    if (!pruned.edges[at]) continue;
    const from = itemOf[graph.source[at] ?? 0] ?? -1;
    const to = itemOf[graph.target[at] ?? 0] ?? -1;
    if (from < 0 || to < 0 || from === to) continue;
    // Of two nodes, an edge into each of q, k and v is a link of its own.
    const single = items[from]?.group === -1 && items[to]?.group === -1;
    const input = single ? (graph.result.edges.input.data[at] ?? 0) : 0;
    const left = circuit.edges[at] ? 0 : 1;
    const key = ((from * items.length + to) * EDGE_INPUTS.length + input) * 2 + left;
    const link = found.get(key);
    const value = graph.weight[at] ?? 0;
    if (link === undefined) {
      found.set(key, source.length);
      source.push(from);
      target.push(to);
      weight.push(value);
      edge.push(at);
      count.push(1);
      outside.push(left);
    } else {
      weight[link] = (weight[link] ?? 0) + value;
      count[link] = (count[link] ?? 0) + 1;
      const strongest = Math.abs(graph.weight[edge[link] ?? 0] ?? 0);
      if (Math.abs(value) > strongest) edge[link] = at;
    }
  }
  const inflow = items.map(({ members }) =>
    members.reduce((sum, node) => sum + (graph.inflow[node] ?? 0), 0),
  );
  const sources = Int32Array.from(source);
  const targets = Int32Array.from(target);
  return {
    links: source.length,
    source: sources,
    target: targets,
    weight: Float64Array.from(weight),
    share: Float64Array.from(weight, (value, at) => value / (inflow[target[at] ?? 0] || 1)),
    edge: Int32Array.from(edge),
    edgeCount: Int32Array.from(count),
    outside: Uint8Array.from(outside),
    incoming: adjacency(targets, items.length),
    outgoing: adjacency(sources, items.length),
  };
}
