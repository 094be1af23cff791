// The texts of `tests/hostile/texts.json` through what the page draws and copies.
import { expect, test } from "vitest";
import texts from "../../tests/hostile/texts.json";
import { toSvg } from "../src/draw/svg";
import { visible } from "../src/state/tokens";
import { layoutOf } from "../src/views/heatmap/layout";
import { heatmapScene } from "../src/views/heatmap/scene";
import { sliceOf } from "../src/views/heatmap/slice";
import { toTsv } from "../src/views/heatmap/words";
import type { Grid } from "../src/wire/types";
import { lensGrid } from "./heatmap/grids";

const ALL = Object.entries(texts) as [string, [string, string]][];

test.each(ALL)("%s can be read", (_, [text, shown]) => expect(visible(text)).toBe(shown));

const grid: Grid = lensGrid(
  3,
  ALL.map(([, [text]]) => text),
);
const slice = sliceOf(grid, { measure: 0, upward: false, chosen: [] });

test("a drawing holds them as text, isolated from each other", () => {
  const layout = layoutOf(slice, "auto", 600);
  const { contentWidth: width, contentHeight: height } = layout;
  const scene = heatmapScene(slice, layout, { scrollX: 0, scrollY: 0, width, height }, "light");
  const svg = toSvg(scene);
  expect(new Set(svg.match(/<\/?[^\s/>]*/g)?.map((tag) => tag.replace("/", "")))).toEqual(
    new Set(["<svg", "<title", "<rect", "<text", "<g", "<clipPath"]),
  );
  expect(svg).not.toMatch(/[^\P{C}\n]|&(?!(amp|lt|gt|quot);)/u);
});

test("a copied table runs no formula and keeps its shape", () => {
  const lines = toTsv(slice).trimEnd().split("\n");
  for (const line of lines) {
    const cells = line.split("\t");
    expect(cells).toHaveLength(1 + ALL.length);
    for (const cell of cells) if (!/^-?[\d.e-]+$/.test(cell)) expect(cell).not.toMatch(/^[=+\-@]/);
  }
});
