import { expect, it } from "vitest";
import { toSvg } from "../../src/draw/svg";
import { makePicture } from "../../src/views/graph/groups";
import { layoutPicture } from "../../src/views/graph/layout";
import { drawnLinks, linkAt, linkPath, signColours } from "../../src/views/graph/links";
import { readGraph } from "../../src/views/graph/model";
import { rankNodes } from "../../src/views/graph/order";
import { overlayScene } from "../../src/views/graph/overlay";
import { makePruner } from "../../src/views/graph/prune";
import { baseScene } from "../../src/views/graph/scene";
import { fitView, itemAt, itemsInside, zoomView } from "../../src/views/graph/view";
import type { CircuitGraph } from "../../src/wire/types";
import { goldenGraph, makeGraph } from "./graphs";

function drawn(result: CircuitGraph, theme: "light" | "dark", width = 640) {
  const graph = readGraph(result);
  const { groups, labels, places } = result.marks;
  const picture = makePicture(graph, makePruner(graph).prune({}), groups, new Set());
  const layout = layoutPicture(graph, picture, rankNodes(graph), places, width);
  const look = { theme, width, height: layout.height, view: { x: 0, y: 0, k: 1 } };
  return { picture, layout, naming: { graph, labels, groups }, look };
}

const circuit = makeGraph(
  "components",
  [
    ["embed", -1, -1, -1],
    ["head", 0, -1, 0],
    ["head", 0, -1, 1],
    ["mlp", 0, -1, -1],
    ["head", 1, -1, 3],
    ["logits", -1, -1, -1],
  ],
  [
    [0, 1, 2, 1],
    [0, 2, -1, 3],
    [1, 3, 1],
    [1, 4, 3, 2],
    [2, 4, -0.5, 3],
    [3, 5, 0.4],
    [4, 5, 2],
  ],
);

it.each(["light", "dark"] as const)("an attribution graph, %s", async (theme) => {
  const all = drawn(goldenGraph(), theme);
  const scene = baseScene(all, drawnLinks(all.picture), new Set(["logit10@6"]));
  await expect(toSvg(scene)).toMatchFileSnapshot(`gallery/attribution-${theme}.svg`);
});

it("a circuit of components", async () => {
  const all = drawn(circuit, "light");
  await expect(toSvg(baseScene(all, drawnLinks(all.picture), new Set()))).toMatchFileSnapshot(
    "gallery/components.svg",
  );
});

it("what follows the pointer", async () => {
  const all = drawn(circuit, "light");
  const lasso = [
    { x: 100, y: 20 },
    { x: 200, y: 20 },
    { x: 200, y: 120 },
  ];
  const highlight = { item: 4, focus: true, selected: new Set([1]), lasso, hovered: -1, link: 0 };
  await expect(toSvg(overlayScene(all, [3, 4, 6], highlight))).toMatchFileSnapshot(
    "gallery/overlay.svg",
  );
});

it("tells the sign by a dash as well as by its colour", () => {
  const all = drawn(circuit, "light");
  const { positive, negative } = signColours("light");
  const svg = toSvg(baseScene(all, drawnLinks(all.picture), new Set()));
  const strokes = svg.split("\n").filter((line) => /<path .*stroke="#/.test(line));
  const of = (colour: string): string[] => strokes.filter((line) => line.includes(colour));
  expect(of(negative).length).toBeGreaterThan(0);
  expect(of(negative).every((line) => line.includes("stroke-dasharray"))).toBe(true);
  expect(of(positive).some((line) => line.includes("stroke-dasharray"))).toBe(false);
});

it("hostile text stays text", () => {
  const all = drawn(goldenGraph(), "light");
  const svg = toSvg(baseScene(all, drawnLinks(all.picture), new Set()));
  expect(svg).toContain("&lt;b&gt;state&lt;/b&gt;");
  expect(svg).not.toMatch(/<(b|img|script)/);
});

it("finds what is drawn under a point, at any zoom", () => {
  const { layout, look } = drawn(circuit, "light");
  const fitted = fitView(layout, { width: 300, height: 200 });
  for (const view of [look.view, fitted, zoomView(fitted, 3, 120, 90)]) {
    layout.x.forEach((x, item) => {
      const [px, py] = [x * view.k + view.x, (layout.y[item] ?? 0) * view.k + view.y];
      expect(itemAt(layout, view, px + 1, py - 1, 4)).toBe(item);
    });
    expect(itemAt(layout, view, -500, -500, 8)).toBe(-1);
  }
});

it("finds the link whose course a point is on, at any zoom", () => {
  const { picture, layout, look } = drawn(circuit, "light");
  const links = drawnLinks(picture);
  const fitted = fitView(layout, { width: 300, height: 200 });
  for (const view of [look.view, fitted, zoomView(fitted, 3, 120, 90)]) {
    for (const link of links) {
      const course =
        linkPath(picture, layout, view, link)
          .match(/-?[\d.]+/g)
          ?.map(Number) ?? [];
      const [x1 = 0, y1 = 0, c1 = 0, m1 = 0, c2 = 0, m2 = 0, x2 = 0, y2 = 0] = course;
      const [x, y] = [(x1 + 3 * c1 + 3 * c2 + x2) / 8, (y1 + 3 * m1 + 3 * m2 + y2) / 8];
      expect(linkAt(picture, layout, view, links, x, y, 5)).toBe(link);
      expect(linkAt(picture, layout, view, links, x + 4000, y, 5)).toBe(-1);
    }
  }
});

it("draws what is there for pinned nodes only apart from the circuit", () => {
  const graph = readGraph(circuit);
  const left = makePruner(graph).prune({ edges: 2 });
  const picture = makePicture(graph, makePruner(graph).prune({}), [], new Set(), left);
  expect([...picture.outside]).toEqual([...left.edges].map((kept) => 1 - kept));
  const all = { ...drawn(circuit, "light"), picture };
  const svg = toSvg(baseScene(all, drawnLinks(picture), new Set()));
  const dotted = svg.split("\n").filter((line) => line.includes('stroke-dasharray="1.5'));
  expect(dotted).toHaveLength(1);
  expect(dotted[0]?.match(/M/g)).toHaveLength(circuit.edges.kept.data.length - left.edgeCount);
});

it("zooms about the pointer", () => {
  const view = { x: 10, y: 20, k: 1 };
  const zoomed = zoomView(view, 2, 110, 220);
  expect([(110 - zoomed.x) / zoomed.k, (220 - zoomed.y) / zoomed.k]).toEqual([100, 200]);
});

it("a lasso takes what is inside of it", () => {
  const { layout, look } = drawn(circuit, "light");
  const x = layout.x[1] ?? 0;
  const y = layout.y[1] ?? 0;
  const box = [
    [-9, -9],
    [9, -9],
    [9, 9],
    [-9, 9],
  ].map(([dx = 0, dy = 0]) => ({ x: x + dx, y: y + dy }));
  expect(itemsInside(layout, look.view, box)).toEqual([1]);
});
