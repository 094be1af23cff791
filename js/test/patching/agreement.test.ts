import { describe, expect, it } from "vitest";
import { toSvg } from "../../src/draw/svg";
import { sliceOf } from "../../src/views/heatmap/slice";
import { correlation, type Point, pointsOf, worst } from "../../src/views/patching/agreement";
import { scatterScene } from "../../src/views/patching/scatter";
import { patchGrid, random } from "../heatmap/grids";

const points = (pairs: [number, number][]): Point[] =>
  pairs.map(([estimate, exact], column) => ({ row: 0, column, estimate, exact }));

describe("points", () => {
  it("are the exact cells, whichever measure is shown", () => {
    const found = pointsOf(sliceOf(patchGrid(), { measure: 1, upward: true, chosen: [] }));
    expect(found.map(({ row, column }) => [row, column])).toEqual([
      [2, 0],
      [2, 1],
      [2, 2],
      [2, 3],
    ]);
    for (const { estimate, exact } of found) expect(estimate).toBeCloseTo(2 * exact);
  });

  it("are none in a grid without estimates", () => {
    const grid = patchGrid();
    const only = { ...grid, measures: grid.measures.slice(0, 1) };
    expect(pointsOf(sliceOf(only, { measure: 0, upward: false, chosen: [] }))).toEqual([]);
  });
});

describe("correlation", () => {
  it("is 1 and -1 on rising and falling lines, whatever their slope and offset", () => {
    const x = [-3, 0.1, 2, 7];
    expect(correlation(points(x.map((v) => [v, 0.2 * v + 9])))).toBeCloseTo(1, 12);
    expect(correlation(points(x.map((v) => [v, 4 - 5 * v])))).toBeCloseTo(-1, 12);
    expect(correlation(points(x.map((v) => [v, 4])))).toBeNaN();
  });

  it("is the cosine of the centred values", () => {
    const next = random(11);
    const pairs = Array.from({ length: 40 }, (): [number, number] => {
      const x = next();
      return [x, x + next()];
    });
    const centred = [0, 1].map((side) => {
      const values = pairs.map((pair) => pair[side] ?? 0);
      const mean = values.reduce((p, q) => p + q) / values.length;
      return values.map((v) => v - mean);
    });
    const [x = [], y = []] = centred;
    const dot = x.reduce((sum, v, i) => sum + v * (y[i] ?? 0), 0);
    expect(correlation(points(pairs))).toBeCloseTo(dot / (Math.hypot(...x) * Math.hypot(...y)), 10);
  });
});

it("the worst disagree most, the worst first", () => {
  const found = worst(
    points([
      [0, 0.1],
      [1, -1],
      [0.5, 0.5],
      [0, 0.4],
    ]),
    2,
  );
  expect(found.map(({ column }) => column)).toEqual([1, 3]);
});

it("the scatter has the diagonal, a dot per cell, and a ring on the pinned one", async () => {
  const cloud = points([
    [0, 0.1],
    [0.9, 1],
    [-0.4, 0.2],
  ]);
  const svg = toSvg(scatterScene(cloud, { row: 0, column: 1 }, "light"));
  await expect(svg).toMatchFileSnapshot("gallery/scatter.svg");
});
