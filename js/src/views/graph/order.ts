// In which order the nodes of one cell (a layer's row, a token's column) stand side by side. It is
// worked out on the whole graph, so that a threshold that moves changes no order.
import { edgesOf, type Graph } from "./model";

/** Sweeps of the barycentre rule, up and down in turn. */
const SWEEPS = 4;

/** The place of every node within its cell, 0 to 1 across. */
export function rankNodes(graph: Graph): Float64Array {
  const cells = new Map<string, number[]>();
  for (let node = 0; node < graph.nodes; node++) {
    const key = `${graph.order[node]} ${graph.position[node]}`;
    const cell = cells.get(key);
    if (cell) cell.push(node);
    else cells.set(key, [node]);
  }
  const rank = new Float64Array(graph.nodes);
  const settle = (cell: number[]): void => {
    cell.forEach((node, at) => {
      rank[node] = (at + 0.5) / cell.length;
    });
  };
  for (const cell of cells.values()) {
    cell.sort(
      (a, b) => kindRank(graph, a) - kindRank(graph, b) || unitOf(graph, a) - unitOf(graph, b),
    );
    settle(cell);
  }
  // Heads keep the order of their numbers.
  if (graph.result.family === "components") return rank;
  const rows = [...cells.values()].sort(
    ([a = 0], [b = 0]) => (graph.order[a] ?? 0) - (graph.order[b] ?? 0),
  );
  const columns = new Map(
    [...new Set(graph.position)].sort((a, b) => a - b).map((p, at) => [p, at]),
  );
  const place = (node: number): number =>
    (columns.get(graph.position[node] ?? -1) ?? 0) + (rank[node] ?? 0);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const up = sweep % 2 === 0;
    for (const cell of up ? rows : [...rows].reverse()) {
      if (cell.length < 2) continue;
      const centre = new Map(cell.map((node) => [node, barycentre(graph, node, up, place)]));
      cell.sort((a, b) => (centre.get(a) ?? 0) - (centre.get(b) ?? 0));
      settle(cell);
    }
  }
  return rank;
}

const unitOf = (graph: Graph, node: number): number => graph.unit[node] ?? 0;
const kindRank = (graph: Graph, node: number): number => graph.result.nodes.kind.data[node] ?? 0;

/** Mean place of what a node reads (`up`) or of what reads it, by the size of the edges. */
function barycentre(
  graph: Graph,
  node: number,
  up: boolean,
  place: (node: number) => number,
): number {
  const ends = up ? graph.source : graph.target;
  let sum = 0;
  let total = 0;
  for (const edge of edgesOf(up ? graph.incoming : graph.outgoing, node)) {
    const size = Math.abs(graph.weight[edge] ?? 0);
    sum += size * place(ends[edge] ?? 0);
    total += size;
  }
  return total ? sum / total : place(node);
}
