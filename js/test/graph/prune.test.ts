import { describe, expect, it } from "vitest";
import { readGraph } from "../../src/views/graph/model";
import { cutoff, makePruner, onlyNodes, withPinned } from "../../src/views/graph/prune";
import type { CircuitGraph } from "../../src/wire/types";
import { goldenGraph, makeGraph, randomGraph } from "./graphs";

/** The rule again, with whole matrices and until nothing changes. */
function plainly(result: CircuitGraph, nodeShare: number, edgeShare: number) {
  const graph = readGraph(result);
  const n = graph.nodes;
  const matrix = Array.from({ length: n }, () => new Array<number>(n).fill(0));
  for (let e = 0; e < graph.edges; e++) {
    const row = matrix[graph.target[e] ?? 0];
    if (row) row[graph.source[e] ?? 0] = Math.abs(graph.weight[e] ?? 0);
  }
  const w = graph.kinds.map((kind) => (kind === "logit" ? 1 : 0));
  const influence = (m: number[][]): { v: number[]; share: number[][] } => {
    const share = m.map((row) => {
      const sum = row.reduce((a, b) => a + b, 0);
      return row.map((x) => (sum ? x / sum : 0));
    });
    const v = new Array<number>(n).fill(0);
    let wave: number[] = [...w];
    for (let step = 0; step < n && wave.some((x) => x > 0); step++) {
      wave = v.map((_, j) => wave.reduce((sum, x, i) => sum + x * (share[i]?.[j] ?? 0), 0));
      wave.forEach((x, j) => {
        v[j] = (v[j] ?? 0) + x;
      });
    }
    return { v, share };
  };
  const enough = (scores: number[], share: number): number => {
    const sorted = [...scores].sort((a, b) => b - a);
    const all = sorted.reduce((a, b) => a + b, 0);
    let sum = 0;
    for (const score of sorted) {
      sum += score;
      if (sum >= share * all) return score;
    }
    return 0;
  };
  const end = graph.kinds.map((kind) => kind === "logit" || kind === "token");
  const { v } = influence(matrix);
  const least = enough(v, nodeShare);
  const nodes = v.map((x, i) => end[i] || x >= least - 1e-12);
  const left = matrix.map((row, i) => row.map((x, j) => (nodes[i] && nodes[j] ? x : 0)));
  const again = influence(left);
  const scores = left.map((row, i) =>
    row.map((_, j) => (again.share[i]?.[j] ?? 0) * ((again.v[i] ?? 0) + (w[i] ?? 0))),
  );
  const edgeLeast = enough(scores.flat(), edgeShare);
  const kept = scores.map((row) => row.map((x) => x > 0 && x >= edgeLeast - 1e-12));
  for (let changed = true; changed; ) {
    changed = false;
    for (let i = 0; i < n; i++) {
      if (end[i]) continue;
      const out = kept.some((row) => row[i]);
      const into = kept[i]?.some(Boolean);
      if (out && into) continue;
      for (let j = 0; j < n; j++) {
        const [column, row] = [kept[j], kept[i]];
        if (column?.[i] || row?.[j]) changed = true;
        if (column) column[i] = false;
        if (row) row[j] = false;
      }
    }
  }
  return Array.from({ length: graph.edges }, (_, e) =>
    kept[graph.target[e] ?? 0]?.[graph.source[e] ?? 0] ? 1 : 0,
  );
}

describe("pruning by influence", () => {
  it.each([
    [1, 1],
    [0.8, 0.98],
    [0.6, 0.7],
    [0.3, 0.5],
  ])("at %f and %f keeps what a plain implementation keeps", (nodes, edges) => {
    for (const seed of [1, 2, 3]) {
      const result = randomGraph(60, 240, 5, seed);
      const pruned = makePruner(readGraph(result)).prune({ nodes, edges });
      expect([...pruned.edges]).toEqual(plainly(result, nodes, edges));
    }
  });

  it("takes the smallest of the largest that make up a share", () => {
    const scores = Float64Array.of(1, 4, 2, 0, 3);
    expect([0.1, 0.4, 0.41, 0.7, 1].map((share) => cutoff(scores, share))).toEqual([4, 4, 3, 3, 1]);
    expect(cutoff(new Float64Array(3), 0.5)).toBe(0);
  });
});

describe("pruning by number", () => {
  const chain = makeGraph(
    "components",
    [
      ["embed", -1, -1, -1],
      ["kv_head", 0, -1, 0],
      ["head", 0, -1, 0, 0],
      ["head", 0, -1, 1, 0],
      ["mlp", 0, -1, -1],
      ["logits", -1, -1, -1],
    ],
    [
      [0, 1, 5, 3],
      [2, 5, -4],
      [0, 4, 3],
      [3, 4, 0.5],
      [4, 5, 0.1],
    ],
  );
  const kept = (edges: number): number[] => [
    ...makePruner(readGraph(chain)).prune({ edges }).edges,
  ];

  it("takes the largest magnitudes and drops what leads nowhere", () => {
    expect(kept(3)).toEqual([1, 1, 0, 0, 0]);
    expect(kept(5)).toEqual([1, 1, 1, 1, 1]);
    expect(kept(1)).toEqual([0, 0, 0, 0, 0]);
  });

  it("knows that heads read by the key-value head that they share", () => {
    expect(kept(2)).toEqual([1, 1, 0, 0, 0]);
  });
});

it("knows that keys and values at a position come out of their head there and later", () => {
  const made = makeGraph(
    "components",
    [
      ["embed", -1, 0, -1],
      ["embed", -1, 2, -1],
      ["head", 0, 0, 0],
      ["head", 0, 1, 0],
      ["head", 0, 2, 0],
      ["logits", -1, 2, -1],
    ],
    [
      [0, 2, 5, 3],
      [1, 4, 4, 2],
      [3, 5, 3],
      [4, 5, 2],
    ],
  );
  const kept = (edges: number): number[] => [...makePruner(readGraph(made)).prune({ edges }).edges];
  // Values at 0 come out at 1; without what comes out at 2, queries at 2 are of no use.
  expect(kept(3)).toEqual([1, 0, 1, 0]);
  expect(kept(4)).toEqual([1, 1, 1, 1]);
});

it("keeps what was computed where no threshold is set", () => {
  const result = goldenGraph();
  const pruned = makePruner(readGraph(result)).prune({});
  expect([...pruned.edges]).toEqual([...result.edges.kept.data]);
  expect(pruned.edgeCount).toBe(9);
});

it("narrows to nodes by name, with the edges between them", () => {
  const graph = readGraph(goldenGraph());
  const all = makePruner(graph).prune({});
  const some = onlyNodes(graph, all, new Set(["L0F12@1", "L1F12@3", "nobody"]));
  expect([some.nodeCount, some.edgeCount]).toEqual([2, 1]);
});

it("keeps pinned nodes at any threshold, with the edges between them and one each way", () => {
  const graph = readGraph(goldenGraph());
  const none = makePruner(graph).prune({ nodes: 0.01, edges: 0.01 });
  const name = "L0F7@3";
  expect(none.nodes[graph.names.indexOf(name)]).toBe(0);
  const some = withPinned(graph, none, new Set([name, "token@3", "L1F12@3"]));
  const edges = [...some.edges.keys()].filter((edge) => some.edges[edge] && !none.edges[edge]);
  const ends = edges.map((e) => [graph.source[e], graph.target[e]].map((n) => graph.names[n ?? 0]));
  expect(ends).toContainEqual(["token@3", name]);
  expect(ends).toContainEqual([name, "L1F12@3"]);
  expect(some.nodes[graph.names.indexOf(name)]).toBe(1);
  expect(withPinned(graph, some, new Set([name]))).toBe(some);
});
