import { describe, expect, it } from "vitest";
import { type Lines, strongLines, tokenLines } from "../../src/views/attention/lines";
import { type Matrix, maxPool, valueAt } from "../../src/views/attention/matrix";
import {
  cellWindow,
  matrixCellBox,
  matrixLayout,
  pointedCell,
  poolStep,
  zoomed,
} from "../../src/views/attention/matrix-layout";
import { localMix } from "../../src/views/attention/mix";
import { matrixOf } from "../../src/views/attention/panel-data";
import { hatchPath } from "../../src/views/attention/paper";
import { thumbnailValues } from "../../src/views/attention/thumbnails";
import { commonHigh, headHigh, srcFactor } from "../../src/views/attention/weighting";
import { patterns, random, weightsOf } from "./patterns";

const tokensOf = (n: number): string[] => Array.from({ length: n }, (_, i) => `t${i}`);

function randomMatrix(seed: number, n: number, causal: boolean, weighted: boolean): Matrix {
  const next = random(seed);
  return {
    n,
    causal,
    weights: Float32Array.from({ length: n * n }, next),
    factor: weighted ? Float32Array.from({ length: n }, () => 3 * next()) : null,
  };
}

describe("max pooling", () => {
  it("gives the largest unmasked value of every block, NaN where all is masked", () => {
    const next = random(5);
    for (let trial = 0; trial < 200; trial++) {
      const n = 1 + Math.floor(next() * 30);
      const step = 1 + Math.floor(next() * 5);
      const matrix = randomMatrix(trial, n, next() < 0.5, next() < 0.5);
      const pick = (): [number, number] => {
        const first = Math.floor((next() * n) / step) * step;
        return [first, Math.min(n, first + 1 + Math.floor(next() * n))];
      };
      const [row0, row1] = pick();
      const [column0, column1] = pick();
      const pooled = maxPool(matrix, { row0, row1, column0, column1 }, step);
      const columns = Math.ceil((column1 - column0) / step);
      pooled.forEach((value, at) => {
        let expected = Number.NaN;
        for (let dy = 0; dy < step; dy++) {
          for (let dx = 0; dx < step; dx++) {
            const dest = row0 + Math.floor(at / columns) * step + dy;
            const src = column0 + (at % columns) * step + dx;
            if (dest >= row1 || src >= column1) continue;
            const cell = valueAt(matrix, dest, src);
            if (!Number.isNaN(cell))
              expected = Number.isNaN(expected) ? cell : Math.max(expected, cell);
          }
        }
        if (Number.isNaN(expected)) expect(value).toBeNaN();
        else expect(value).toBeCloseTo(expected, 5);
      });
    }
  });

  it("loses no cell at any size, zoom, scroll or pixel ratio", () => {
    const next = random(6);
    for (let trial = 0; trial < 100; trial++) {
      const glyphs = tokensOf(1 + Math.floor(next() * 400));
      const zoom = next() < 0.5 ? null : next() * 40;
      const layout = matrixLayout(glyphs, 200 + next() * 500, zoom);
      const ratio = next() < 0.5 ? 1 : 2;
      const step = poolStep(layout, ratio);
      expect(layout.cell * step * ratio).toBeGreaterThanOrEqual(1 - 1e-6);
      const pane = {
        x: next() * Math.max(0, layout.contentWidth - layout.width),
        y: next() * Math.max(0, layout.contentHeight - layout.height),
        width: layout.width,
        height: layout.height,
      };
      const window = cellWindow(layout, pane, step);
      expect(window.row0 % step).toBe(0);
      expect(window.column0 % step).toBe(0);
      expect(window.column0 * layout.cell).toBeLessThanOrEqual(pane.x + 1e-6);
      const end = Math.min(layout.n * layout.cell, pane.x + pane.width - layout.left);
      expect(window.column1 * layout.cell).toBeGreaterThanOrEqual(end - 1e-6);
      expect(window.column1).toBeLessThanOrEqual(layout.n);
    }
  });

  it("makes thumbnails no finer than the pixels, by maxima", () => {
    const result = patterns({ tokens: tokensOf(9) });
    const full = thumbnailValues(result, "attention", { layer: 0, head: 1 }, 100);
    const small = thumbnailValues(result, "attention", { layer: 0, head: 1 }, 4);
    expect(full.side).toBe(9);
    expect(small.side).toBeLessThanOrEqual(4);
    const high = (values: Float32Array) => Math.max(...values.filter((v) => !Number.isNaN(v)));
    expect(high(small.values)).toBe(high(full.values));
    expect(full.values[1]).toBeNaN();
    expect(small.values[small.side - 1]).toBeNaN();
  });
});

describe("the cell under the pointer", () => {
  it("is the one whose box holds the point", () => {
    const next = random(7);
    for (let trial = 0; trial < 200; trial++) {
      const glyphs = tokensOf(1 + Math.floor(next() * 60));
      const layout = matrixLayout(glyphs, 500, next() < 0.5 ? null : 30);
      const pane = { x: next() * 100, y: next() * 100, width: 500, height: layout.height };
      const matrix = randomMatrix(trial, layout.n, true, false);
      const x = next() * 500;
      const y = next() * layout.height;
      const cell = pointedCell(matrix, layout, pane, 1, x, y);
      if (!cell) continue;
      const box = matrixCellBox(layout, pane, cell);
      expect(x).toBeGreaterThanOrEqual(box.x - 1e-6);
      expect(x).toBeLessThanOrEqual(box.x + box.width + 1e-6);
      expect(y).toBeGreaterThanOrEqual(box.y - 1e-6);
      expect(y).toBeLessThanOrEqual(box.y + box.height + 1e-6);
    }
  });

  it("is the largest of those that share its pixel", () => {
    const glyphs = tokensOf(1000);
    const layout = matrixLayout(glyphs, 400, null);
    const step = poolStep(layout, 1);
    expect(step).toBeGreaterThan(1);
    const matrix = { n: 1000, weights: new Float32Array(1e6), factor: null, causal: true };
    matrix.weights[(500 - (500 % step)) * 1000 + (200 - (200 % step))] = 1;
    const pane = { x: 0, y: 0, width: 400, height: layout.height };
    const { x, y } = matrixCellBox(layout, pane, { dest: 500, src: 200 });
    const cell = pointedCell(matrix, layout, pane, step, x + 0.01, y + 0.01);
    expect(cell).toEqual({ dest: 500 - (500 % step), src: 200 - (200 % step) });
  });

  it("zooms in steps and back to the whole", () => {
    const glyphs = tokensOf(300);
    let zoom: number | null = null;
    for (let i = 0; i < 30; i++) zoom = zoomed(matrixLayout(glyphs, 400, zoom), glyphs, 1);
    expect(zoom).toBeGreaterThan(20);
    for (let i = 0; i < 30; i++) zoom = zoomed(matrixLayout(glyphs, 400, zoom), glyphs, -1);
    expect(zoom).toBeNull();
  });
});

describe("weighting", () => {
  it("multiplies every column by the norm of its source", () => {
    const result = patterns({ held: 6 });
    const ref = { layer: 1, head: 2 };
    const weights = weightsOf(1, 2, 5);
    for (const [name, norms] of [
      ["value", result.value_norm],
      ["output", result.output_norm],
    ] as const) {
      const matrix = matrixOf(result, weights, name, ref);
      expect(matrixOf(result, weights, name, ref)).toBe(matrix);
      let high = 0;
      for (let dest = 0; dest < 5; dest++) {
        for (let src = 0; src <= dest; src++) {
          const norm = norms.data[(1 * 3 + 2) * 5 + src] ?? 0;
          expect(valueAt(matrix, dest, src)).toBeCloseTo((weights[dest * 5 + src] ?? 0) * norm, 5);
          high = Math.max(high, valueAt(matrix, dest, src));
        }
      }
      expect(headHigh(result, name, ref)).toBeCloseTo(high, 5);
      expect(commonHigh(result, name)).toBeGreaterThanOrEqual(headHigh(result, name, ref));
    }
    expect(srcFactor(result, "attention", ref)).toBeNull();
    expect(valueAt(matrixOf(result, weights, "attention", ref), 1, 3)).toBeNaN();
  });

  it("mixes held heads, weighted one by one", () => {
    const result = patterns({ held: 6 });
    const cell = (ref: { layer: number; head: number }, factor: boolean): number =>
      (weightsOf(ref.layer, ref.head, 5)[4 * 5 + 2] ?? 0) *
      (factor ? (srcFactor(result, "output", ref)?.[2] ?? 0) : 1);
    const layer = [0, 1, 2].map((head) => ({ layer: 1, head }));
    const mean = localMix(result, { reduce: "mean", layer: 1 }, "attention")?.[4 * 5 + 2];
    expect(mean).toBeCloseTo(layer.reduce((sum, ref) => sum + cell(ref, false), 0) / 3, 6);
    const most = localMix(result, { reduce: "max", layer: 1 }, "output")?.[4 * 5 + 2];
    expect(most).toBeCloseTo(Math.max(...layer.map((ref) => cell(ref, true))), 6);
    const rows = localMix(result, { reduce: "mean", layer: null }, "attention");
    expect(rows?.slice(20, 25).reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    expect(localMix(patterns({ held: 5 }), { reduce: "max", layer: null }, "attention")).toBeNull();
  });
});

describe("lines", () => {
  const listed = (lines: Lines): string[] =>
    Array.from(lines.dest, (dest, i) => `${dest}>${lines.src[i]}`);

  it("are all unmasked cells above the threshold, strongest first", () => {
    for (let seed = 0; seed < 50; seed++) {
      const matrix = randomMatrix(seed, 12, seed % 2 === 0, seed % 3 === 0);
      const lines = strongLines(matrix, 0.6);
      const expected: string[] = [];
      for (let dest = 0; dest < 12; dest++) {
        for (let src = 0; src < 12; src++) {
          if (valueAt(matrix, dest, src) >= 0.6) expected.push(`${dest}>${src}`);
        }
      }
      expect(listed(lines).sort()).toEqual(expected.sort());
      lines.value.slice(1).forEach((value, i) => {
        expect(value).toBeLessThanOrEqual(lines.value[i] ?? 0);
      });
    }
  });

  it("of one token go to its sources or come from its dests", () => {
    const matrix = randomMatrix(1, 4, true, false);
    expect(listed(tokenLines(matrix, 1, "src", 0)).sort()).toEqual(["1>0", "1>1"]);
    expect(listed(tokenLines(matrix, 2, "dest", 0)).sort()).toEqual(["2>2", "3>2"]);
  });
});

describe("the hatch", () => {
  it("covers masked cells only, and reaches all of the large masked part", () => {
    const next = random(8);
    for (let trial = 0; trial < 60; trial++) {
      const n = 1 + Math.floor(next() * 20);
      const cell = 2 + next() * 30;
      const d = hatchPath(n, cell, { x: 0, y: 0, width: n * cell, height: n * cell });
      for (const piece of d.split("M").slice(1)) {
        const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = piece.split(/[L ]/).map(Number);
        for (let t = 0.02; t < 1; t += 0.07) {
          const column = Math.floor((x1 + t * (x2 - x1)) / cell + 1e-2);
          const row = Math.floor((y1 + t * (y2 - y1)) / cell - 1e-2);
          expect(column).toBeGreaterThan(row);
        }
      }
    }
    expect(
      hatchPath(10, 20, { x: 0, y: 0, width: 200, height: 200 }).split("M").length,
    ).toBeGreaterThan(40);
  });
});
