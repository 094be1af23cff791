// Differences of attention: 0 is neutral, masked is not 0, magnitude decides what is strong.
import { describe, expect, it } from "vitest";
import { rgbFromHex } from "../../src/draw/oklab";
import { palette } from "../../src/draw/palette";
import { badgeLegend, headBadge } from "../../src/views/attention/badges";
import { strongLines } from "../../src/views/attention/lines";
import { linesLayout, linesScene } from "../../src/views/attention/lines-scene";
import { type Matrix, maxPool, said } from "../../src/views/attention/matrix";
import { localMix } from "../../src/views/attention/mix";
import { sortedHeads } from "../../src/views/attention/order";
import { heldMatrix } from "../../src/views/attention/panel-data";
import { MASK } from "../../src/views/attention/paper";
import { sourceRows } from "../../src/views/attention/row";
import { attentionRamp, makeThumbnails } from "../../src/views/attention/thumbnails";
import { weightingInfo } from "../../src/views/attention/weighting";
import type { HeadPattern, Patterns } from "../../src/wire/types";
import { array, patterns, WORDS } from "./patterns";

const N = WORDS.length;
const plane = (by: number): Float32Array =>
  Float32Array.from({ length: N * N }, (_, at) => (at % N > at / N ? 0 : by * ((at % 5) - 2)));

/** Two heads that are held; token 1 meets none. */
function difference(): Patterns {
  const base = patterns({ layers: 1, heads: 2, held: 0 });
  const held = (head: number, by: number): HeadPattern => {
    const weights = plane(by);
    for (let i = 0; i < N; i++) weights[i * N + 1] = weights[N + i] = Number.NaN;
    const weighted = Float32Array.of(...plane(10 * by), ...plane(100 * by));
    return {
      layer: 0,
      head,
      weights: array("float16", [N, N], weights),
      weighted: array("float16", [2, N, N], weighted),
    };
  };
  const overview = new Uint8Array(3 * 2 * N * N).fill(127);
  overview[0] = 0;
  overview[N] = 255;
  return {
    ...base,
    signed: true,
    overview: array("uint8", [3, 1, 2, N, N], overview),
    heads: [held(0, 0.1), held(1, -0.4)],
  };
}

const result = difference();
const pixel = (rgba: Uint8ClampedArray, at: number): number[] => [
  ...rgba.slice(4 * at, 4 * at + 3),
];

describe("a difference of attention", () => {
  it("draws 0 as paper, both signs apart, and what has no value as the mask", () => {
    const theme = "light";
    const paper = rgbFromHex(palette(theme).paper);
    const ramp = attentionRamp(result, 0.5, theme);
    expect([ramp.scale.kind, ramp.scale.low, ramp.scale.high]).toEqual(["diverging", -0.5, 0.5]);
    const { rgba, side } = makeThumbnails(
      result,
      "attention",
      false,
      theme,
      N,
    )({ layer: 0, head: 0 });
    expect(side).toBe(N);
    expect(pixel(rgba, 2 * N)).toEqual([...paper]);
    expect(pixel(rgba, 0)).not.toEqual([...paper]);
    const mask = rgbFromHex(MASK[theme].fill);
    expect(pixel(rgba, N)).toEqual([...mask]);
    expect(pixel(rgba, 1)).toEqual([...mask]);
    expect(mask).not.toEqual(paper);
  });

  it("takes each weighting from its own numbers, and calls it a difference", () => {
    const [head] = result.heads as [HeadPattern];
    const at = 4 * N;
    const [plain, value, output] = (["attention", "value", "output"] as const).map((weighting) =>
      heldMatrix(result, head, weighting),
    ) as [Matrix, Matrix, Matrix];
    expect(plain.weights[at]).toBeCloseTo(-0.2);
    expect(value.weights[at]).toBeCloseTo(-2);
    expect(output.weights[at]).toBeCloseTo(-20);
    expect([plain.factor, value.factor, output.factor]).toEqual([null, null, null]);
    expect(heldMatrix(result, head, "value")).toBe(value);
    expect(weightingInfo(result, "attention").label).toBe("Δ attention");
    expect(said(plain, 1, 0, "Δ attention")).toMatch(/meets none/);
    expect(said(plain, 0, 1, "Δ attention")).toMatch(/masked/);
  });

  it("lets magnitude decide: pooled cells, lines, sources, mixes, heads", () => {
    const [head] = result.heads as [HeadPattern];
    const cells = { n: 2, weights: Float32Array.of(-3, 0, 1, 2), factor: null, causal: false };
    const all = { row0: 0, row1: 2, column0: 0, column1: 2 };
    expect([...maxPool(cells, all, 2)]).toEqual([-3]);
    const lines = strongLines(heldMatrix(result, head, "attention"), 0.15);
    expect([...lines.value].some((value) => value < 0)).toBe(true);
    const layout = linesLayout(WORDS, 400);
    const pane = { x: 0, y: 0, width: 400, height: layout.height };
    const drawn = [{ lines, colour: "#000", high: 0.2 }];
    const scene = linesScene({ layout, glyphs: WORDS, heads: drawn, theme: "light" }, pane);
    expect(JSON.stringify(scene)).toContain('"dash":[4,3]');
    const row = Float32Array.of(0.1, Number.NaN, -0.5, 0.2, 0);
    expect(sourceRows(row, row, WORDS, 4, true).map(({ src }) => src)).toEqual([2, 3, 0, 4]);
    const mix = localMix(result, { reduce: "max", layer: 0 }, "attention");
    expect(mix?.[4 * N]).toBeCloseTo(0.8);
    expect(mix?.[1]).toBeNaN();
    const [score] = result.scores;
    if (score) score.values = array("float32", [1, 2], Float32Array.of(0.1, -0.6));
    expect(sortedHeads(result, score?.name ?? "").map(({ head: at }) => at)).toEqual([1, 0]);
  });

  it("gives no badges: what changed is not what a head does", () => {
    expect(badgeLegend(result, "light")).toEqual([]);
    expect(headBadge(result, { layer: 0, head: 1 }, "light")).toBeNull();
  });
});
