// Which nodes and edges stay at a threshold, in the browser: the same rules as in Python.
//
// Components: the n best edges by |score| (by score, where the rule is signed), then those that lead
// nowhere are dropped. Attribution: nodes up to a cumulative share of the influence on the targets, then edges likewise (influence.py).
import { type Graph, nodeMeasure } from "./model";

/** As synced: {} is what the kernel computed. */
export interface Threshold {
  /** Components: how many edges. Attribution: the cumulative share of edge scores. */
  edges?: number;
  /** Attribution: the cumulative share of influence. */
  nodes?: number;
}

export interface Pruned {
  /** 1 for what stays. */
  nodes: Uint8Array;
  edges: Uint8Array;
  nodeCount: number;
  edgeCount: number;
}

/** Scores along a chain are equal but for rounding: all of it stays, or none. */
const ALIKE = 1 - 1e-5;

const count = (flags: Uint8Array): number => flags.reduce((sum, flag) => sum + flag, 0);

const isEnd = (graph: Graph, node: number): boolean => {
  const order = graph.order[node] ?? 0;
  return order === -1 || order === Number.POSITIVE_INFINITY;
};

/** Targets' weights in the influence: their probabilities, or 1 each. */
function targetWeights(graph: Graph): Float64Array {
  const probability = nodeMeasure(graph.result, "probability");
  return graph.order.map((order, node) =>
    order === Number.POSITIVE_INFINITY ? probability?.[node] || (probability ? 0 : 1) : 0,
  );
}

/** Edge scores, share times what arrives at the target, over the kept nodes; and the influence. */
function influence(graph: Graph, kept: Uint8Array, weights: Float64Array, byOrder: Int32Array) {
  const total = weights.slice();
  const scores = new Float64Array(graph.edges);
  const { start, edges } = graph.incoming;
  for (const node of byOrder) {
    if (!kept[node]) continue;
    const from = start[node] ?? 0;
    const to = start[node + 1] ?? 0;
    let inflow = 0;
    for (let at = from; at < to; at++) {
      const edge = edges[at] ?? 0;
      if (kept[graph.source[edge] ?? 0]) inflow += Math.abs(graph.weight[edge] ?? 0);
    }
    const perUnit = (total[node] ?? 0) / Math.max(inflow, 1e-10);
    for (let at = from; at < to; at++) {
      const edge = edges[at] ?? 0;
      const source = graph.source[edge] ?? 0;
      if (!kept[source]) continue;
      const score = Math.abs(graph.weight[edge] ?? 0) * perUnit;
      scores[edge] = score;
      total[source] = (total[source] ?? 0) + score;
    }
  }
  return { scores, nodes: total.map((value, node) => value - (weights[node] ?? 0)) };
}

/** The smallest of the largest scores that together make up `share` of all. */
export function cutoff(scores: Float64Array, share: number): number {
  const sorted = scores
    .filter((score) => score > 0)
    .sort()
    .reverse();
  const wanted = share * sorted.reduce((sum, score) => sum + score, 0);
  let reached = 0;
  for (const score of sorted) {
    reached += score;
    if (reached >= wanted) return score;
  }
  return 0;
}

/** Drops, until nothing changes, nodes without a way in or without a way out, with their edges. */
function dropDangling(graph: Graph, edges: Uint8Array, needsIn: (node: number) => boolean): void {
  const alive = new Uint8Array(graph.nodes).fill(1);
  for (let changed = true; changed; ) {
    changed = false;
    const entered = new Uint8Array(graph.nodes);
    const left = new Uint8Array(graph.nodes);
    for (let edge = 0; edge < graph.edges; edge++) {
      if (!edges[edge]) continue;
      left[graph.source[edge] ?? 0] = 1;
      entered[graph.target[edge] ?? 0] = 1;
    }
    for (let node = 0; node < graph.nodes; node++) {
      if (!alive[node] || isEnd(graph, node)) continue;
      if (left[node] && (entered[node] || !needsIn(node))) continue;
      alive[node] = 0;
      changed = true;
    }
    if (!changed) return;
    for (let edge = 0; edge < graph.edges; edge++) {
      if (!alive[graph.source[edge] ?? 0] || !alive[graph.target[edge] ?? 0]) edges[edge] = 0;
    }
  }
}

interface Readers {
  own: Int32Array;
  shared: Int32Array;
}

function leaveAt(reader: number, position: number, last: Float64Array): void {
  if (reader >= 0) last[reader] = Math.max(last[reader] ?? 0, position);
}

/** Which keys and values a node stands for: its own (a head, or a key-value head), and those that a head
 * shares; numbers, -1 for none. */
function readersOf(graph: Graph): Readers {
  const numbers = new Map<string, number>();
  const numberOf = (key: string): number => {
    if (!numbers.has(key)) numbers.set(key, numbers.size);
    return numbers.get(key) ?? -1;
  };
  const sharedHeads = graph.result.nodes.kv_head.data;
  const own = new Int32Array(graph.nodes).fill(-1);
  const shared = new Int32Array(graph.nodes).fill(-1);
  graph.kinds.forEach((kind, node) => {
    if (kind !== "head" && kind !== "kv_head") return;
    own[node] = numberOf(`${kind} ${graph.layer[node]} ${graph.unit[node]}`);
    const head = sharedHeads[node] ?? -1;
    if (kind === "head" && head >= 0)
      shared[node] = numberOf(`kv_head ${graph.layer[node]} ${head}`);
  });
  return { own, shared };
}

/** `dropDangling` for components, edge by edge as in Python: what goes into keys or values at a position
 * comes out of their heads there and later, what goes into queries or MLPs only there. */
function dropDanglingComponents(graph: Graph, edges: Uint8Array, { own, shared }: Readers): void {
  const at = (node: number): number => graph.position[node] ?? -1;
  const isRead = (edge: number): boolean => (graph.result.edges.input.data[edge] ?? 0) > 1;
  for (let changed = true; changed; ) {
    changed = false;
    const entered = new Uint8Array(graph.nodes);
    const left = new Uint8Array(graph.nodes);
    /** Where keys or values are first entered, and from where their heads are last left. */
    const first = new Float64Array(2 * graph.nodes).fill(Number.POSITIVE_INFINITY);
    const last = new Float64Array(2 * graph.nodes).fill(Number.NEGATIVE_INFINITY);
    for (let edge = 0; edge < graph.edges; edge++) {
      if (!edges[edge]) continue;
      const source = graph.source[edge] ?? 0;
      const target = graph.target[edge] ?? 0;
      const read = own[target] ?? -1;
      left[source] = 1;
      leaveAt(own[source] ?? -1, at(source), last);
      leaveAt(shared[source] ?? -1, at(source), last);
      if (isRead(edge)) first[read] = Math.min(first[read] ?? 0, at(target));
      else entered[target] = 1;
    }
    for (let edge = 0; edge < graph.edges; edge++) {
      if (!edges[edge]) continue;
      const source = graph.source[edge] ?? 0;
      const target = graph.target[edge] ?? 0;
      const fed =
        isEnd(graph, source) ||
        entered[source] ||
        (first[own[source] ?? -1] ?? Number.POSITIVE_INFINITY) <= at(source) ||
        (first[shared[source] ?? -1] ?? Number.POSITIVE_INFINITY) <= at(source);
      const used =
        isEnd(graph, target) ||
        (isRead(edge) ? (last[own[target] ?? 0] ?? 0) >= at(target) : left[target]);
      if (fed && used) continue;
      edges[edge] = 0;
      changed = true;
    }
  }
}

export interface Pruner {
  prune(threshold: Threshold): Pruned;
}

/** What does not depend on the threshold is worked out once. */
export function makePruner(graph: Graph): Pruner {
  const { signed } = graph.result.pruning;
  const height = (edge: number): number => {
    const weight = graph.weight[edge] ?? 0;
    return signed ? weight : Math.abs(weight);
  };
  const byOrder = Int32Array.from(graph.order.keys()).sort(
    (a, b) => (graph.order[b] ?? 0) - (graph.order[a] ?? 0) || 0,
  );
  const weights = targetWeights(graph);
  const whole = (): Float64Array => {
    const measured = nodeMeasure(graph.result, "influence");
    const every = new Uint8Array(graph.nodes).fill(1);
    const found = influence(graph, every, weights, byOrder).nodes;
    return measured ? found.map((value, node) => measured[node] || value) : found;
  };
  let ranked: Int32Array | undefined;
  let readers: Readers | undefined;
  let influences: Float64Array | undefined;

  function withEnds(edges: Uint8Array): Pruned {
    const nodes = new Uint8Array(graph.nodes);
    for (let edge = 0; edge < graph.edges; edge++) {
      if (!edges[edge]) continue;
      nodes[graph.source[edge] ?? 0] = 1;
      nodes[graph.target[edge] ?? 0] = 1;
    }
    for (let node = 0; node < graph.nodes; node++) if (isEnd(graph, node)) nodes[node] = 1;
    return { nodes, edges, nodeCount: count(nodes), edgeCount: count(edges) };
  }

  function best(n: number): Pruned {
    ranked ??= Int32Array.from(graph.weight.keys()).sort((a, b) => height(b) - height(a) || a - b);
    const edges = new Uint8Array(graph.edges);
    for (const edge of ranked.subarray(0, n)) edges[edge] = 1;
    readers ??= readersOf(graph);
    dropDanglingComponents(graph, edges, readers);
    return withEnds(edges);
  }

  function influential(nodeShare: number, edgeShare: number): Pruned {
    influences ??= whole();
    const least = cutoff(influences, nodeShare) * ALIKE;
    const nodes = Uint8Array.from(influences, (value, node) =>
      isEnd(graph, node) || (value > 0 && value >= least) ? 1 : 0,
    );
    const { scores } = influence(graph, nodes, weights, byOrder);
    const enough = cutoff(scores, edgeShare) * ALIKE;
    const edges = Uint8Array.from(scores, (score) => (score > 0 && score >= enough ? 1 : 0));
    const isError = (node: number): boolean => graph.kinds[node]?.endsWith("error") ?? false;
    dropDangling(graph, edges, (node) => !isError(node));
    return withEnds(edges);
  }

  return {
    prune({ nodes, edges }) {
      if (nodes === undefined && edges === undefined) {
        return withEnds(Uint8Array.from(graph.result.edges.kept.data));
      }
      if (graph.result.family === "components") return best(edges ?? graph.edges);
      return influential(nodes ?? 1, edges ?? 1);
    },
  };
}

/** With the pinned nodes, whatever the threshold: the edges between them, and of each the strongest one
 * from and to what is shown. */
export function withPinned(graph: Graph, pruned: Pruned, names: ReadonlySet<string>): Pruned {
  const pinned = graph.names.flatMap((name, node) => (names.has(name) ? [node] : []));
  if (pinned.every((node) => pruned.nodes[node])) return pruned;
  const isPinned = new Set(pinned);
  const nodes = pruned.nodes.slice();
  const edges = pruned.edges.slice();
  const size = (edge: number): number => Math.abs(graph.weight[edge] ?? 0);
  for (const node of pinned) nodes[node] = 1;
  for (const node of pinned) {
    for (const [near, far] of [
      [graph.incoming, graph.source],
      [graph.outgoing, graph.target],
    ] as const) {
      const around = near.edges.subarray(near.start[node], near.start[node + 1]);
      let best = -1;
      for (const edge of around) {
        const other = far[edge] ?? 0;
        if (isPinned.has(other)) edges[edge] = 1;
        if (nodes[other] && (best < 0 || size(edge) > size(best))) best = edge;
      }
      if (!pruned.nodes[node] && best >= 0) edges[best] = 1;
    }
  }
  return { nodes, edges, nodeCount: count(nodes), edgeCount: count(edges) };
}

/** What is in both. */
export function both(a: Pruned, b: Pruned): Pruned {
  const nodes = a.nodes.map((kept, node) => (kept && b.nodes[node] ? 1 : 0));
  const edges = a.edges.map((kept, edge) => (kept && b.edges[edge] ? 1 : 0));
  return { nodes, edges, nodeCount: count(nodes), edgeCount: count(edges) };
}

/** Only some of the nodes, by name, and the edges between them. */
export function onlyNodes(graph: Graph, pruned: Pruned, names: ReadonlySet<string>): Pruned {
  const nodes = pruned.nodes.map((kept, node) =>
    kept && names.has(graph.names[node] ?? "") ? 1 : 0,
  );
  const edges = pruned.edges.map((kept, edge) =>
    kept && nodes[graph.source[edge] ?? 0] && nodes[graph.target[edge] ?? 0] ? 1 : 0,
  );
  return { nodes, edges, nodeCount: count(nodes), edgeCount: count(edges) };
}
