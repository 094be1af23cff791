import { describe, expect, it } from "vitest";
import { type CellGrid, cellAt, cellBox } from "../../src/draw/hit";
import { labelEvery, niceTicks, scrollTo, visibleSpan } from "../../src/draw/layout";
import { random } from "../heatmap/grids";

describe("visibleSpan", () => {
  it("holds exactly the cells that overlap the viewport", () => {
    const next = random(1);
    for (let trial = 0; trial < 300; trial++) {
      const size = 0.3 + next() * 40;
      const count = Math.floor(next() * 60);
      const length = next() * 500;
      const offset = next() * count * size;
      const { first, end } = visibleSpan(offset, length, size, count);
      for (let i = 0; i < count; i++) {
        const overlaps = (i + 1) * size > offset + 1e-6 && i * size < offset + length - 1e-6;
        if (overlaps) expect(i >= first && i < end).toBe(true);
        if (i >= first && i < end) {
          expect((i + 1) * size).toBeGreaterThan(offset - 1e-6);
          expect(i * size).toBeLessThan(offset + length + 1e-6);
        }
      }
    }
  });
});

describe("scrollTo", () => {
  it("moves no further than needed to show the cell", () => {
    expect(scrollTo(5, 0, 100, 10)).toBe(0);
    expect(scrollTo(12, 0, 100, 10)).toBe(30);
    expect(scrollTo(2, 50, 100, 10)).toBe(20);
  });
});

describe("cellAt", () => {
  it("finds the cell whose box holds the point, and nothing outside", () => {
    const next = random(2);
    for (let trial = 0; trial < 300; trial++) {
      const grid: CellGrid = {
        box: { x: next() * 90, y: next() * 90, width: 200, height: 150 },
        cellWidth: 0.5 + next() * 30,
        cellHeight: 0.5 + next() * 30,
        rows: 1 + Math.floor(next() * 30),
        columns: 1 + Math.floor(next() * 30),
        scrollX: next() * 50,
        scrollY: next() * 50,
      };
      const x = next() * 400;
      const y = next() * 300;
      const cell = cellAt(grid, x, y);
      if (!cell) continue;
      const box = cellBox(grid, cell);
      expect(x).toBeGreaterThanOrEqual(box.x - 1e-9);
      expect(x).toBeLessThanOrEqual(box.x + box.width + 1e-9);
      expect(y).toBeGreaterThanOrEqual(box.y - 1e-9);
      expect(y).toBeLessThanOrEqual(box.y + box.height + 1e-9);
      expect(cell.row).toBeLessThan(grid.rows);
      expect(cell.column).toBeLessThan(grid.columns);
    }
  });

  it("is the inverse of cellBox", () => {
    const grid: CellGrid = {
      box: { x: 40, y: 20, width: 300, height: 200 },
      cellWidth: 17,
      cellHeight: 9,
      rows: 12,
      columns: 14,
      scrollX: 21,
      scrollY: 4,
    };
    for (let row = 1; row < grid.rows; row++) {
      for (let column = 2; column < grid.columns; column++) {
        const { x, y, width, height } = cellBox(grid, { row, column });
        expect(cellAt(grid, x + width / 2, y + height / 2)).toEqual({ row, column });
      }
    }
  });
});

describe("labels and ticks", () => {
  it("thin to round steps that leave room", () => {
    for (const [size, label] of [
      [30, 12],
      [4, 15],
      [0.7, 15],
      [0.01, 15],
    ] as const) {
      const every = labelEvery(size, label);
      expect(every * size).toBeGreaterThanOrEqual(Math.min(size, label) - 1e-9);
      expect([1, 2, 5, 10]).toContain(every / 10 ** Math.floor(Math.log10(every) + 1e-9));
    }
  });

  it("are round and inside the domain", () => {
    expect(niceTicks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(niceTicks(-7.3, 2.1, 4)).toEqual([-5, 0]);
    expect(niceTicks(0, 1e-4, 4)).toEqual([0, 0.00005, 0.0001]);
  });
});
