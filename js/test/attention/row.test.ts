import { describe, expect, it } from "vitest";
import { sourceRows, toTsv } from "../../src/views/attention/row";

const tokens = ["<s>", "a\tb", "\n", "<b>", "z"];
const row = Float32Array.of(0.25, 0.5, 0.25, 0, 0);

describe("the pinned row", () => {
  it("lists sources from high to low, ties in order, without masked ones", () => {
    expect(sourceRows(row, row, tokens, 2, true).map(({ src }) => src)).toEqual([1, 0, 2]);
    expect(sourceRows(row, row, tokens, 2, false)).toHaveLength(5);
  });

  it("sorts by the weighted value and keeps the attention", () => {
    const rows = sourceRows(row, Float32Array.of(2, 0.5, 0.5, 0, 0), tokens, 2, true);
    expect(rows.map(({ src, value, attention }) => [src, value, attention])).toEqual([
      [0, 2, 0.25],
      [1, 0.5, 0.5],
      [2, 0.5, 0.25],
    ]);
  });

  it("copies as one line per source whatever the tokens hold", () => {
    const text = toTsv(sourceRows(row, row, tokens, 4, true), null);
    const lines = text.trimEnd().split("\n");
    expect(lines).toHaveLength(6);
    expect(lines.every((line) => line.split("\t").length === 4)).toBe(true);
    expect(lines[1]).toBe('1\t1\t"a\\tb"\t0.5');
    expect(toTsv([], "x").trimEnd().split("\t")).toHaveLength(5);
  });
});
