import { describe, expect, it } from "vitest";
import { additive, condensed, equation, identityInWords } from "../../src/views/attribution";
import { sliceOf } from "../../src/views/heatmap/slice";
import { positionsOf, readTracked, subjectOf, trackCharts } from "../../src/views/lens/track";
import { attributionGrid, axis, headGrid, lensGrid, TOKENS } from "./grids";

describe("sums", () => {
  it("keep the largest terms in order and add up the rest", () => {
    const terms = [3, -0.1, -5, 0.2, 4].map((value, i) => ({ label: `t${i}`, value }));
    const short = condensed(terms, 4);
    expect(short.map(({ label }) => label)).toEqual(["t0", "t2", "t4", "2 smaller terms"]);
    const sum = (list: { value: number }[]) => list.reduce((s, { value }) => s + value, 0);
    expect(sum(short)).toBeCloseTo(sum(terms), 12);
    expect(condensed(terms, 5)).toEqual(terms);
  });

  it("are offered only where they are a logit", () => {
    const of = (grid: ReturnType<typeof headGrid>) =>
      additive(sliceOf(grid, { measure: 0, upward: false, chosen: [0] }));
    expect(of(attributionGrid())).toEqual({ row: false, column: true });
    expect(of(headGrid(2, 2))).toEqual({ row: false, column: false });
    const { identity } = attributionGrid();
    expect(of({ ...headGrid(2, 2), identity })).toEqual({ row: true, column: true });
    expect(of({ ...lensGrid(2), identity })).toEqual({ row: false, column: false });
  });

  it("are written as an equation", () => {
    const terms = [
      { label: "embeddings", value: 1.5 },
      { label: "attention", value: -12.25 },
      { label: "bias", value: 0.001 },
    ];
    const identity = { terms, target: { label: "logit", value: -10.749 }, residue: 0, checked: 1 };
    expect(equation(identity)).toBe("embeddings 1.50 + attention −12.25 + bias 0.00 = −10.75");
  });

  it("are stated with their error", () => {
    const identity = { terms: [], target: { label: "logit", value: 1 }, residue: 0, checked: 1 };
    expect(identityInWords(identity)).toBe(
      "The terms sum to logit exactly, checked at 1 position.",
    );
  });
});

describe("track", () => {
  const tracked = {
    subject: "s",
    token_id: 1,
    text: " Mary",
    rows: ["L0", "L1"],
    positions: [1, 3],
    probability: [
      [0.01, 1],
      [0, 0.5],
    ],
    rank: [
      [3, 0],
      [900, 1],
    ],
  };

  it("holds the kept positions and the pinned one, each once, inside the prompt", () => {
    expect(positionsOf({ token: 1, positions: [2, 5] }, 5, 8)).toEqual([2, 5]);
    expect(positionsOf({ token: 1, positions: [2, 50] }, 7, 8)).toEqual([2, 7]);
    expect(positionsOf({ token: 1, positions: [] }, null, 8)).toEqual([]);
    const many = Array.from({ length: 20 }, (_, i) => i);
    expect(positionsOf({ token: 1, positions: many }, 30, 40)).toHaveLength(8);
  });

  it("is shown only for what it was asked of: the token ids and the read-outs, not the text", () => {
    const { provenance } = lensGrid(2);
    const ran = (token_ids: number[], read_out = "all") =>
      subjectOf({
        ...provenance,
        prompts: [{ text: "", tokens: ["a", "b"], token_ids }],
        parameters: { read_out },
      });
    const options = { heatmap_tracked: { ...tracked, subject: ran([1, 2]) } };
    expect(readTracked(options, ran([1, 2]))).toEqual(options.heatmap_tracked);
    expect(readTracked(options, ran([12]))).toBeNull();
    expect(readTracked(options, ran([2, 1]))).toBeNull();
    expect(readTracked(options, ran([1, 2], "resid_mid"))).toBeNull();
    expect(readTracked({ heatmap_tracked: 3 }, "p")).toBeNull();
  });

  it("has probability on a plain or a logarithmic axis, and rank with the best on top", () => {
    const positions = axis("position", TOKENS, { tokens: true });
    const [plain, rank] = trackCharts(tracked, positions, false, "light");
    expect(plain?.series.map(({ label }) => label)).toEqual([
      "position 1 ·Mary",
      "position 3 ·John",
    ]);
    expect(plain?.scale).toMatchObject({ low: 0, high: 1, log: false });
    expect(rank?.scale).toMatchObject({ low: 0, high: 900, log: true, reverse: true });
    const [log] = trackCharts(tracked, positions, true, "light");
    expect(log?.series[0]?.values).toEqual([-2, 0]);
    expect(log?.series[1]?.values[0]).toBe(-6);
    expect(log?.format?.(-6)).toBe("1e−6");
  });
});
