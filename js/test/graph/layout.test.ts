import { describe, expect, it } from "vitest";
import { makePicture } from "../../src/views/graph/groups";
import { layoutPicture } from "../../src/views/graph/layout";
import { readGraph } from "../../src/views/graph/model";
import { rankNodes } from "../../src/views/graph/order";
import { makePruner, type Threshold } from "../../src/views/graph/prune";
import { walk } from "../../src/views/graph/walk";
import type { CircuitGraph, Group } from "../../src/wire/types";
import { goldenGraph, makeGraph, randomGraph } from "./graphs";

function laidOut(result: CircuitGraph, threshold: Threshold = {}, groups: readonly Group[] = []) {
  const graph = readGraph(result);
  const picture = makePicture(graph, makePruner(graph).prune(threshold), groups, new Set());
  const layout = layoutPicture(graph, picture, rankNodes(graph), [], 900);
  const at = (key: string): number => picture.items.findIndex((item) => item.key === key);
  return { graph, picture, layout, at };
}

describe("layout", () => {
  it("puts edges upwards and positions from left to right", () => {
    const { graph, picture, layout } = laidOut(randomGraph(120, 500));
    for (let link = 0; link < picture.links; link++) {
      const [from, to] = [picture.source[link] ?? 0, picture.target[link] ?? 0];
      expect(layout.y[from]).toBeGreaterThan(layout.y[to] ?? 0);
    }
    const position = (item: number): number => graph.position[picture.items[item]?.node ?? 0] ?? 0;
    picture.items.forEach((_, a) => {
      const column = layout.columns.find((one) => one.position === position(a));
      expect(layout.x[a]).toBeGreaterThan(column?.x ?? 0);
      expect(layout.x[a]).toBeLessThan((column?.x ?? 0) + (column?.width ?? 0));
    });
  });

  it("puts no two items in one place", () => {
    const { layout } = laidOut(randomGraph(400, 900));
    const places = [...layout.x].map((x, item) => `${x.toFixed(1)} ${layout.y[item]?.toFixed(1)}`);
    expect(new Set(places).size).toBe(places.length);
  });

  it("keeps the order of a cell when the threshold moves", () => {
    const result = randomGraph(200, 900);
    const orders = [
      { nodes: 1, edges: 1 },
      { nodes: 0.7, edges: 0.9 },
    ].map((threshold) => {
      const { graph, picture, layout } = laidOut(result, threshold);
      const cells = new Map<string, number[]>();
      picture.items.forEach((item, at) => {
        const key = `${graph.order[item.node]} ${graph.position[item.node]}`;
        cells.set(key, [...(cells.get(key) ?? []), at]);
      });
      return [...cells.values()].flatMap((items) => {
        const inOrder = items.sort(
          (a, b) =>
            (layout.y[a] ?? 0) - (layout.y[b] ?? 0) || (layout.x[a] ?? 0) - (layout.x[b] ?? 0),
        );
        return inOrder.map((at) => picture.items[at]?.key ?? "");
      });
    });
    const [all = [], fewer = []] = orders;
    expect(fewer.length).toBeLessThan(all.length);
    const there = new Set(fewer);
    expect(all.filter((key) => there.has(key)).sort()).toEqual([...fewer].sort());
    for (let i = 1; i < fewer.length; i++) {
      const [a = "", b = ""] = [fewer[i - 1], fewer[i]];
      const cell = (key: string): string => `${key[1]}${key.split("@")[1]}`;
      if (cell(a) === cell(b)) expect(all.indexOf(a)).toBeLessThan(all.indexOf(b));
    }
  });

  it("orders heads by number, and layers from the embedding up", () => {
    const { layout, at } = laidOut(
      makeGraph(
        "components",
        [
          ["logits", -1, -1, -1],
          ["mlp", 0, -1, -1],
          ["head", 0, -1, 1],
          ["head", 0, -1, 0],
          ["embed", -1, -1, -1],
        ],
        [
          [4, 2, 1, 1],
          [4, 3, 1, 1],
          [3, 1, 1],
          [2, 0, 1],
          [1, 0, 1],
        ],
      ),
    );
    expect(layout.rows.map(({ label }) => label)).toEqual(["Embed", "L0 attn", "L0 MLP", "Logits"]);
    expect(layout.x[at("L0H0")]).toBeLessThan(layout.x[at("L0H1")] ?? 0);
    const down = ["logits", "MLP0", "L0H0", "embed"].map((key) => layout.y[at(key)] ?? 0);
    expect(down).toEqual([...down].sort((a, b) => a - b));
  });

  it("moves what was dragged by as much as it was", () => {
    const graph = readGraph(goldenGraph());
    const picture = makePicture(graph, makePruner(graph).prune({}), [], new Set());
    const [plain, moved] = [[], graph.result.marks.places].map((places) =>
      layoutPicture(graph, picture, rankNodes(graph), places, 900),
    );
    const item = picture.items.findIndex(({ key }) => key === "L0F7@3");
    expect((moved?.x[item] ?? 0) - (plain?.x[item] ?? 0)).toBeCloseTo(12.5);
    expect((moved?.y[item] ?? 0) - (plain?.y[item] ?? 0)).toBeCloseTo(-4);
  });
});

describe("a collapsed group", () => {
  const groups = [{ label: "both", nodes: ["L0F12@1", "L1F12@3"] }];

  it("has the sums of its nodes' edges to each of the others, and none to itself", () => {
    const { graph, picture, at } = laidOut(goldenGraph(), {}, groups);
    const group = at('"both"');
    expect(picture.items[group]?.members.map((node) => graph.names[node])).toEqual(
      groups[0]?.nodes,
    );
    const to = (from: number, target: number): number[] =>
      [...picture.source.keys()].filter(
        (link) => picture.source[link] === from && picture.target[link] === target,
      );
    const [link, ...more] = to(group, at("logit10@6"));
    expect(more).toEqual([]);
    expect(picture.weight[link ?? -1]).toBe(4); // 6 of one, -2 of the other
    expect(to(group, group)).toEqual([]);
    const sum = (values: ArrayLike<number>): number =>
      Array.from(values).reduce((a, b) => a + b, 0);
    const kept = graph.weight.filter((_, edge) => graph.result.edges.kept.data[edge]);
    expect(sum(picture.weight)).toBeCloseTo(sum(kept) - 4); // its inner edge
  });
});

it("keeps edges into q, k and v apart", () => {
  const nodes = [
    ["embed", -1, -1, -1],
    ["head", 0, -1, 0],
    ["logits", -1, -1, -1],
  ] as const;
  const result = makeGraph(
    "components",
    nodes.map(([...row]) => row),
    [
      [0, 1, 2, 1],
      [0, 1, -5, 3],
      [1, 2, 1],
    ],
  );
  expect([...laidOut(result).picture.weight]).toEqual([2, -5, 1]);
});

it("an arrow key follows the strongest link, or the row", () => {
  const { picture, layout, at } = laidOut(goldenGraph());
  const go = (from: string, arrow: Parameters<typeof walk>[3]): string | undefined =>
    picture.items[walk(picture, layout, at(from), arrow)]?.key;
  expect(go("L1F12@3", "ArrowUp")).toBe("logit10@6");
  expect(go("L1F12@3", "ArrowDown")).toBe("L0F12@1");
  expect(go("L0F12@1", "ArrowRight")).toMatch(/@3$/);
  expect(go("token@1", "ArrowDown")).toBeUndefined();
});

it("gives a narrow window's room to crowded columns, so that their nodes keep labels", () => {
  const tokens = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((at) => ["token", -1, at, -1] as const);
  const features = Array.from({ length: 14 }, (_, unit) => ["feature", 0, 8, unit] as const);
  const made = makeGraph(
    "attribution",
    [...tokens, ...features, ["logit", -1, 8, 5]].map((row) => [...row] as never),
    [...features.keys()].map((at) => [8, 9 + at, 1]),
  );
  const graph = readGraph(made);
  const picture = makePicture(graph, makePruner(graph).prune({}), [], new Set());
  const all = {
    ...picture,
    items: graph.names.map((key, node) => ({ key, node, members: [node], group: -1 })),
  };
  const narrow = layoutPicture(graph, all, rankNodes(graph), [], 600);
  expect(narrow.slot).toBeGreaterThanOrEqual(50);
  expect(narrow.width).toBeLessThanOrEqual(601);
  const wide = layoutPicture(graph, all, rankNodes(graph), [], 1200);
  expect(Math.min(...wide.columns.map((column) => column.width))).toBeGreaterThanOrEqual(44);
});
