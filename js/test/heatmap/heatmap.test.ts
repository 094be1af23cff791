import { describe, expect, it } from "vitest";
import type { Theme } from "../../src/draw/colour";
import { toSvg } from "../../src/draw/svg";
import { NOTHING } from "../../src/state/selection";
import { moved } from "../../src/views/heatmap/keys";
import {
  cellGrid,
  type Layout,
  layoutOf,
  targetAt,
  type Window,
} from "../../src/views/heatmap/layout";
import { optionName, readOptions, type Zoom } from "../../src/views/heatmap/options";
import { overlayScene } from "../../src/views/heatmap/overlay";
import { heatmapScene } from "../../src/views/heatmap/scene";
import { cleared, indexAt, linkedOf, selectionOf } from "../../src/views/heatmap/selection";
import { type Slice, sliceOf } from "../../src/views/heatmap/slice";
import { ESTIMATE, EXACT, NOT_APPLICABLE, WAITING } from "../../src/views/heatmap/states";
import { describeCell, toTsv } from "../../src/views/heatmap/words";
import type { Axis, Grid, Selection } from "../../src/wire/types";
import { attributionGrid, headGrid, lensGrid, patchGrid, random, TOKENS } from "./grids";

const slice = (grid: Grid, measure = 0, upward = false, chosen: number[] = []): Slice =>
  sliceOf(grid, { measure, upward, chosen });
const whole = ({ contentWidth, contentHeight }: Layout): Window => ({
  scrollX: 0,
  scrollY: 0,
  width: contentWidth,
  height: contentHeight,
});
const draw = (s: Slice, zoom: Zoom, width: number, theme: Theme = "light"): string => {
  const layout = layoutOf(s, zoom, width);
  return toSvg(heatmapScene(s, layout, whole(layout), theme));
};
const nothing: Selection = NOTHING;

describe("figures", () => {
  it.each<[string, () => string]>([
    ["lens-light", () => draw(slice(lensGrid(3)), "auto", 520)],
    ["lens-dark", () => draw(slice(lensGrid(3)), "auto", 520, "dark")],
    ["lens-upward-rank", () => draw(slice(lensGrid(3), 1, true), "auto", 520)],
    ["lens-narrow-slanted", () => draw(slice(lensGrid(3)), 0.4, 320)],
    ["lens-pixels", () => draw(slice(lensGrid(4)), "fit", 150)],
    ["attribution-light", () => draw(slice(attributionGrid()), "auto", 320)],
    ["attribution-dark", () => draw(slice(attributionGrid()), "auto", 320, "dark")],
    ["heads", () => draw(slice(headGrid(4, 4), 0, false, [1]), "auto", 320)],
    ["patching-light", () => draw(slice(patchGrid()), "auto", 320)],
    ["patching-dark", () => draw(slice(patchGrid()), "auto", 320, "dark")],
    ["patching-pixels", () => draw(slice(patchGrid()), "fit", 100)],
    ["one-token", () => draw(slice(lensGrid(2, [" Mary"])), "auto", 320)],
  ])("%s", async (name, svg) => {
    await expect(svg()).toMatchFileSnapshot(`gallery/${name}.svg`);
  });

  it("overlay: crosshair, pinned cell, linked row and column", async () => {
    const s = slice(lensGrid(3));
    const layout = layoutOf(s, "auto", 520);
    const linked = { rows: [1], columns: [2], cell: { row: 1, column: 2 } };
    const scene = overlayScene(layout, whole(layout), { row: 2, column: 4 }, linked, "light");
    await expect(toSvg(scene)).toMatchFileSnapshot("gallery/overlay.svg");
  });

  it("draws only the cells in the window", () => {
    const tokens = Array.from({ length: 1000 }, (_, i) => TOKENS[i % TOKENS.length] ?? "");
    const s = slice(lensGrid(37, tokens));
    const layout = layoutOf(s, "auto", 800);
    const window = { scrollX: 20_000, scrollY: 40, width: 800, height: layout.height };
    const scene = heatmapScene(s, layout, window, "light");
    const cells = scene.marks[0];
    const { box } = cellGrid(layout, window);
    const most =
      (Math.ceil(box.width / layout.cellWidth) + 1) *
      (Math.ceil(box.height / layout.cellHeight) + 1);
    expect(cells?.kind === "group" && cells.marks.length).toBeLessThan(2 * most + 3);
  });

  it("never draws a token as markup", () => {
    const svg = draw(slice(lensGrid(3)), "auto", 900);
    expect(svg).toContain("·&lt;b&gt;");
    expect(svg).not.toContain("<b>");
  });
});

describe("layout", () => {
  it("fits everything, whatever the size", () => {
    const next = random(3);
    for (let trial = 0; trial < 100; trial++) {
      const tokens = Array.from({ length: 1 + Math.floor(next() ** 3 * 3000) }, () => " token");
      const s = slice(lensGrid(1 + Math.floor(next() * 60), tokens));
      const width = 300 + next() * 900;
      const layout = layoutOf(s, "fit", width);
      expect(layout.contentWidth).toBeLessThanOrEqual(Math.ceil(width) + 2);
      expect(layout.contentHeight).toBeLessThanOrEqual(layout.height + 2);
    }
  });

  it("keeps cells readable at auto and scrolls instead", () => {
    const tokens = Array.from({ length: 1000 }, () => " token");
    const layout = layoutOf(slice(lensGrid(37, tokens)), "auto", 800);
    expect(layout.cellWidth).toBeGreaterThanOrEqual(40);
    expect(layout.cellHeight).toBeGreaterThanOrEqual(18);
    expect(layout.contentWidth).toBeGreaterThan(40_000);
    expect(layout.height).toBeLessThan(600);
  });

  it("slants labels that do not fit level, and thins those that would touch", () => {
    const tokens = Array.from({ length: 300 }, () => " internationalisation");
    expect(layoutOf(slice(lensGrid(4)), "auto", 800).slanted).toBe(false);
    const narrow = layoutOf(slice(lensGrid(4, tokens)), 0.1, 800);
    expect(narrow.slanted).toBe(true);
    expect(narrow.columnEvery * narrow.cellWidth).toBeGreaterThan(14);
  });

  it("hits what the cells' centres and the labels say", () => {
    const s = slice(lensGrid(6));
    const layout = layoutOf(s, 1.7, 400);
    const window = { scrollX: 70, scrollY: 30, width: 400, height: 180 };
    for (let row = 1; row < 4; row++) {
      for (let column = 2; column < 4; column++) {
        const x = layout.left + (column + 0.5) * layout.cellWidth - window.scrollX;
        const y = layout.top + (row + 0.5) * layout.cellHeight - window.scrollY;
        if (x >= window.width || y >= window.height) continue;
        expect(targetAt(layout, window, x, y)).toEqual({ kind: "cell", row, column });
        expect(targetAt(layout, window, 3, y)).toEqual({ kind: "row", row });
        expect(targetAt(layout, window, x, 3)).toEqual({ kind: "column", column });
      }
    }
    expect(targetAt(layout, window, 3, 3)).toBeNull();
    expect(targetAt(layout, window, 5000, 100)).toBeNull();
  });
});

describe("slice", () => {
  it("reads the chosen index of the leading axes", () => {
    const s = slice(headGrid(3, 5), 0, false, [1]);
    expect(s.value(2, 4)).toBe(124);
    expect(slice(headGrid(3, 5), 0, true, [0]).value(0, 4)).toBe(24);
  });

  it("gives the top tokens of a cell, also upside down", () => {
    expect(
      slice(lensGrid(3))
        .top(1, 2)
        .map((t) => t.text),
    ).toEqual([" John", " went"]);
    expect(slice(lensGrid(3), 0, true).topText(1, 2)).toBe(" John");
    expect(slice(attributionGrid()).top(0, 0)).toEqual([]);
  });

  it("has no top token where none is named, and draws the value alone", () => {
    const grid = lensGrid(3);
    grid.top?.ids.data.fill(-1);
    const s = slice(grid);
    expect(s.top(1, 2)).toEqual([]);
    expect([s.topText(1, 2), s.topGlyphs(1, 2)]).toEqual(["", ""]);
    expect(describeCell(s, { row: 1, column: 2 })).not.toContain("top token");
    expect(draw(s, "auto", 520)).not.toContain("∅");
  });
});

describe("states", () => {
  const states = (grid: Grid, measure: number): (number | null)[][] => {
    const s = slice(grid, measure);
    return [0, 1, 2].map((row) => [0, 4].map((column) => s.state(row, column)));
  };

  it("are those of the grid, and an estimate is one however well the effect is known", () => {
    expect(states(patchGrid(), 0)).toEqual([
      [EXACT, NOT_APPLICABLE],
      [ESTIMATE, NOT_APPLICABLE],
      [WAITING, NOT_APPLICABLE],
    ]);
    expect(states(patchGrid(), 2)).toEqual([
      [ESTIMATE, NOT_APPLICABLE],
      [ESTIMATE, NOT_APPLICABLE],
      [WAITING, NOT_APPLICABLE],
    ]);
  });

  it("what only a patched run tells is waited for while the effect is estimated", () => {
    expect(states(patchGrid(), 1)[1]).toEqual([WAITING, NOT_APPLICABLE]);
  });

  it("without any, values are plain and a missing one is not applicable", () => {
    const s = slice(attributionGrid());
    expect([s.state(0, 0), s.state(0, 1)]).toEqual([NOT_APPLICABLE, null]);
  });

  it("are all exact where a grid with estimates lists none", () => {
    expect(slice({ ...patchGrid(), states: null }).state(1, 1)).toBe(EXACT);
  });

  it("are told apart by shape alone", () => {
    const svg = draw(slice(patchGrid()), "auto", 320);
    const crosses = /<path d="([^"]*)"[^>]*opacity="0.55"/.exec(svg)?.[1] ?? "";
    const outlines = /<path d="([^"]*)"[^>]*stroke-dasharray="1 3"/.exec(svg)?.[1] ?? "";
    const corners = [...svg.matchAll(/<path d="([^"]*)"[^>]*opacity="0.75"/g)].map((m) => m[1]);
    expect(crosses.split("M")).toHaveLength(1 + 2 * 3);
    expect(outlines.split("Z")).toHaveLength(1 + 4);
    expect(corners.join("").split("Z")).toHaveLength(1 + 4);
  });
});

describe("selection", () => {
  const s = slice(attributionGrid());

  it("is set by what the axes select", () => {
    expect(indexAt(s.rowAxis, 3)).toEqual({ layer: 1 });
    expect(indexAt(s.rowAxis, 0)).toEqual({ layer: null });
    expect(indexAt(s.columnAxis, 3)).toEqual({ token: 3 });
    expect(cleared(s)).toEqual({ layer: null, token: null });
  });

  it("marks every row of a layer, and the pinned cell among them", () => {
    const selection = { ...nothing, layer: 1, token: 2 };
    expect(linkedOf(s, selection, { row: 3, column: 2 })).toEqual({
      rows: [3, 4],
      columns: [2],
      cell: { row: 3, column: 2 },
    });
  });

  it("from elsewhere moves the pin to the last row that it names", () => {
    const selection = { ...nothing, layer: 0, token: 1 };
    expect(linkedOf(s, selection, { row: 3, column: 2 }).cell).toEqual({ row: 2, column: 1 });
    expect(linkedOf(s, { ...nothing, layer: 1 }, null)).toEqual({
      rows: [3, 4],
      columns: [],
      cell: null,
    });
    expect(linkedOf(s, nothing, { row: 3, column: 2 }).cell).toBeNull();
  });

  it("keeps a pin on a row that selects nothing", () => {
    const selection = { ...nothing, token: 2 };
    expect(linkedOf(s, selection, { row: 5, column: 2 }).cell).toEqual({ row: 5, column: 2 });
  });

  it("names components, in a layer of the other axis where they need one", () => {
    const grid = attributionGrid();
    const [rows, columns] = grid.axes as [Axis, Axis];
    const named = rows.labels.map((_, i) => (i === 4 ? "MLP1" : null));
    const parts = slice({ ...grid, axes: [{ ...rows, components: named }, columns] });
    expect(selectionOf(parts, 4, 2)).toEqual({ layer: 1, token: 2, component: "MLP1" });
    expect(selectionOf(parts, 3, 2)).toEqual({ layer: 1, token: 2 });
    expect(cleared(parts)).toEqual({ layer: null, token: null, component: null });
    const mlp = { ...nothing, layer: 1, token: 2, component: "MLP1" };
    expect(linkedOf(parts, mlp, null)).toMatchObject({ rows: [4], cell: { row: 4, column: 2 } });
    const head = { ...nothing, layer: 1, head: 0, component: "L1H0" };
    expect(linkedOf(parts, head, null).rows).toEqual([3, 4]);
    const heads = columns.labels.map((_, i) => `L{layer}H${i}.q`);
    const queries = slice({
      ...grid,
      axes: [rows, { ...columns, selects: "head", tokens: false, components: heads }],
    });
    expect(selectionOf(queries, 3, 2)).toEqual({ layer: 1, head: 2, component: "L1H2.q" });
    expect(selectionOf(queries, null, 2)).toEqual({ head: 2 });
    const chosen = { ...nothing, layer: 1, head: 2, component: "L1H2.q" };
    expect(linkedOf(queries, chosen, null).columns).toEqual([2]);
  });

  it("counts rows as drawn", () => {
    const up = slice(attributionGrid(), 0, true);
    expect(linkedOf(up, { ...nothing, layer: 0, token: 1 }, null).rows).toEqual([4, 3]);
  });
});

describe("words", () => {
  it("describe a cell", () => {
    expect(describeCell(slice(lensGrid(3)), { row: 1, column: 1 })).toBe(
      "L1 resid_post, position 1, token “·Mary”, Probability 0.375, top token “·and”",
    );
    expect(describeCell(slice(attributionGrid()), { row: 0, column: 0 })).toBe(
      "embed, position 0, token “When”, Contribution not applicable",
    );
    const patched = slice(patchGrid());
    expect([0, 1, 2].map((row) => describeCell(patched, { row, column: 3 }))).toEqual([
      "L0, position 3, token “·John”, Effect 0.25 (exact)",
      "L1, position 3, token “·John”, Effect 0.5 (estimate)",
      "L2, position 3, token “·John”, Effect waiting",
    ]);
    expect(describeCell(slice(headGrid(3, 5), 0, false, [0]), { row: 2, column: 4 })).toBe(
      "layer 2, head 4, Score 24",
    );
  });

  it("copy the whole slice, one line a row, nothing for what is missing", () => {
    const lines = toTsv(slice(attributionGrid())).split("\n");
    expect(lines).toHaveLength(8);
    expect(lines[0]).toBe("Contribution (component by position)\tWhen\t·Mary\t·and\t·John");
    expect(lines[1]).toBe("embed\t\t-2.5\t-5\t-7.5");
    expect(
      toTsv(slice(lensGrid(2)))
        .split("\n")[0]
        ?.split("\t"),
    ).toHaveLength(1 + TOKENS.length);
  });
});

describe("a copied table", () => {
  it("says of every cell whether it is exact, below the numbers", () => {
    const [values, states] = toTsv(slice(patchGrid())).split("\n\n");
    expect(values?.split("\n")).toHaveLength(4);
    expect(states?.split("\n")).toEqual([
      "State (layer by position)\tWhen\t·Mary\t·and\t·John\t·went",
      "L0\texact\texact\texact\texact\tnot applicable",
      "L1\testimate\testimate\testimate\testimate\tnot applicable",
      "L2\twaiting\twaiting\twaiting\twaiting\tnot applicable",
      "",
    ]);
  });
});

describe("keys", () => {
  const size = { rows: 5, columns: 7 };
  const press = (key: string, ctrlKey = false) =>
    moved({ row: 2, column: 3 }, { key, ctrlKey }, size, 3);

  it("move the cursor inside the grid", () => {
    expect(press("ArrowUp")).toEqual({ row: 1, column: 3 });
    expect(press("ArrowRight")).toEqual({ row: 2, column: 4 });
    expect(press("PageUp")).toEqual({ row: 0, column: 3 });
    expect(press("PageDown")).toEqual({ row: 4, column: 3 });
    expect(press("Home")).toEqual({ row: 2, column: 0 });
    expect(press("End")).toEqual({ row: 2, column: 6 });
    expect(press("Home", true)).toEqual({ row: 0, column: 0 });
    expect(press("End", true)).toEqual({ row: 4, column: 6 });
    expect(press("a")).toBeNull();
  });
});

describe("options", () => {
  it("are read back as they were set, and anything else is the default", () => {
    const grid = headGrid(3, 5);
    const set = {
      zoom: 2,
      chosen: [1],
      cell: [2, 4],
      group: [
        [0, 1],
        [2, 4],
      ],
      upward: true,
      table: false,
      measure: "score",
    };
    const named = Object.fromEntries(
      Object.entries(set).map(([key, value]) => [optionName(key as "zoom"), value]),
    );
    expect(readOptions(named, grid)).toEqual({
      measure: 0,
      chosen: [1],
      zoom: 2,
      upward: true,
      cell: { row: 2, column: 4 },
      group: [
        { row: 0, column: 1 },
        { row: 2, column: 4 },
      ],
      table: false,
      scales: {},
    });
    const wrong = {
      heatmap_zoom: "huge",
      heatmap_chosen: [7],
      heatmap_cell: [9, 9],
      heatmap_group: [[0, 9], "x", [1, 1]],
    };
    expect(readOptions(wrong, grid)).toMatchObject({
      zoom: "auto",
      chosen: [0],
      cell: null,
      group: [{ row: 1, column: 1 }],
    });
  });
});
