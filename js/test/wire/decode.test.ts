import { describe, expect, test } from "vitest";
import { decodeArrays, decodeResult, WireError } from "../../src/wire/decode";
import type { Grid, Patterns } from "../../src/wire/types";
import { type GoldenPayload, golden } from "./golden";

describe("golden payloads", () => {
  test("the grid", () => {
    const grid = decodeResult(golden("grid")) as Grid;
    expect(grid.kind).toBe("grid");
    expect(grid.axes.map((axis) => axis.labels.length)).toEqual([3, 7]);
    expect(grid.axes[1]?.labels[3]).toBe("</script><img src=x onerror=alert(1)>");
    const [probability, effect] = grid.measures;
    expect(probability?.values.shape).toEqual([3, 7]);
    expect(probability?.values.data).toBeInstanceOf(Float32Array);
    const expected = Array.from({ length: 21 }, (_, i) => (i === 2 ? Number.NaN : i / 32));
    expect([...(probability?.values.data ?? [])]).toEqual(expected);
    expect(effect?.values.data[0]).toBe(-1);
    expect(effect?.values.data[20]).toBe(3);
    expect(grid.top?.ids.data).toBeInstanceOf(Int32Array);
    expect([...(grid.top?.ids.data.slice(0, 7) ?? [])]).toEqual([0, 5, 10, 77, 5, 300, 6]);
    expect(grid.provenance.parameters.heads).toEqual([0, 1]);
    expect([...(grid.states?.data.slice(7) ?? [])]).toEqual([
      3, 3, 0, 2, 2, 2, 2, 3, 3, 0, 3, 1, 1, 1,
    ]);
    expect([...(grid.alignment?.source.data ?? [])]).toEqual([0, 1, -1, 2, 3, 4, 5]);
    expect(grid.baselines.map(({ value }) => value)).toEqual([3.5, -1.25]);
  });

  test("the patterns, with float16 weights", () => {
    const patterns = decodeResult(golden("patterns")) as Patterns;
    expect(patterns.overview.data).toBeInstanceOf(Uint8Array);
    expect(patterns.overview.shape).toEqual([3, 2, 2, 4, 4]);
    const weights = patterns.heads[0]?.weights;
    expect(weights?.dtype).toBe("float16");
    expect(weights?.data).toBeInstanceOf(Float32Array);
    const rows = Array.from({ length: 7 }, (_, i) => weights?.data.slice(7 * i, 7 * i + 7) ?? []);
    rows.forEach((row, dest) => {
      expect([...row].reduce((sum, w) => sum + w, 0)).toBeCloseTo(1, 2);
      expect([...row.slice(dest + 1)].every((w) => w === 0)).toBe(true);
    });
    expect(rows[1]?.[0]).toBeCloseTo(8 / 17, 3);
    expect(patterns.scores[1]?.values.data[0]).toBeNaN();
  });

  test("a payload that came as DataViews at odd offsets reads the same", () => {
    const straight = decodeResult(golden("grid")) as Grid;
    const payload = golden("grid");
    const shifted = payload.buffers.map((buffer) => {
      const copy = new Uint8Array(buffer.byteLength + 3);
      copy.set(new Uint8Array(buffer), 3);
      return new DataView(copy.buffer, 3);
    });
    const grid = decodeResult({ header: payload.header, buffers: shifted }) as Grid;
    expect(grid).toEqual(straight);
  });

  test("aligned arrays are views of the bytes, not copies", () => {
    const payload = golden("grid");
    const grid = decodeResult(payload) as Grid;
    expect(grid.measures[0]?.values.data.buffer).toBe(payload.buffers[0]);
  });
});

test("what was rounded stands for other numbers", () => {
  const rounding = { low: -1, step: 0.25, bound: 0.1 };
  const header = { dtype: "uint8", shape: [2, 2], rounding };
  const [array] = decodeArrays([header], [new Uint8Array([0, 1, 2, 255])]);
  expect(array?.data).toEqual(new Float32Array([-1, -0.75, -0.5, 62.75]));
  expect(array).toMatchObject({ dtype: "float32", bound: 0.1 });
  const broken = { ...header, rounding: { low: "0", step: 1 } };
  expect(() => decodeArrays([broken], [new Uint8Array(4)])).toThrow(WireError);
});

describe("malformed payloads", () => {
  type Change = (payload: GoldenPayload) => unknown;
  const header =
    (change: object): Change =>
    ({ header, buffers }) => ({ header: { ...header, ...change }, buffers });
  const array =
    (change: object): Change =>
    (payload) => {
      Object.assign(payload.header.arrays[0] ?? {}, change);
      return payload;
    };

  const cases: [string, RegExp, Change][] = [
    ["nothing", /no header/, () => null],
    ["no header", /no header/, () => ({ buffers: [] })],
    ["version", /version 2, this page reads version 1/, header({ version: 2 })],
    ["kind", /Unknown result kind "graph"/, header({ kind: "graph" })],
    ["kind of the prototype", /Unknown result kind/, header({ kind: "toString" })],
    ["another kind inside", /does not describe a patterns/, header({ kind: "patterns" })],
    ["no arrays", /no list of arrays/, header({ arrays: null })],
    [
      "dangling array",
      /array 9, which is missing/,
      header({ data: { kind: "grid", top: { $array: 9 } } }),
    ],
    ["dtype", /unknown dtype or shape/, array({ dtype: "float64" })],
    ["negative shape", /unknown dtype or shape/, array({ shape: [-3, 7] })],
    ["fractional shape", /unknown dtype or shape/, array({ shape: [1.5, 14] })],
    ["another length", /needs 80 bytes, 84 came/, array({ shape: [4, 5] })],
    [
      "too few buffers",
      /6 arrays are announced, 5 buffers/,
      (p) => ({ ...p, buffers: p.buffers.slice(1) }),
    ],
    ["no bytes", /without its bytes/, (p) => ({ ...p, buffers: p.buffers.map(() => [1, 2]) })],
  ];

  test.each(cases)("%s", (_, message, change) => {
    const payload = change(golden("grid"));
    expect(() => decodeResult(payload)).toThrow(WireError);
    expect(() => decodeResult(payload)).toThrow(message);
  });
});

test("a reply may have an empty array", () => {
  const [array] = decodeArrays([{ dtype: "float32", shape: [0, 4] }], [new ArrayBuffer(0)]);
  expect(array?.data.length).toBe(0);
});
