import { describe, expect, it, test } from "vitest";
import { contrast, rgbFromHex } from "../../src/draw/oklab";
import { palette } from "../../src/draw/palette";
import { NOTHING } from "../../src/state/selection";
import { badgeLegend, headBadge } from "../../src/views/attention/badges";
import {
  allHeads,
  enlargedHeads,
  headLabel,
  MAX_ENLARGED,
  toggleHead,
} from "../../src/views/attention/heads";
import { readOptions, writeHeads } from "../../src/views/attention/options";
import { passes, sortedHeads } from "../../src/views/attention/order";
import type { HeadScore } from "../../src/wire/types";
import { patterns, random } from "./patterns";

const result = patterns();

describe("sorting and filtering", () => {
  it("keeps layer order unless a score is named", () => {
    expect(sortedHeads(result, "layer").map(headLabel)).toEqual(allHeads(result).map(headLabel));
  });

  it("sorts by a score from high to low, ties in layer order, heads without one last", () => {
    expect(sortedHeads(result, "previous_token").map(headLabel)).toEqual([
      "L0H0",
      "L0H2",
      "L1H0",
      "L1H2",
      "L0H1",
      "L1H1",
    ]);
  });

  it("orders any scores: a permutation, never rising, NaN at the end", () => {
    const next = random(3);
    for (let trial = 0; trial < 100; trial++) {
      const big = patterns({ layers: 4, heads: 5, tokens: ["a"] });
      const values = big.scores[0]?.values.data as Float32Array;
      values.forEach((_, i) => {
        values[i] = next() < 0.2 ? Number.NaN : Math.floor(next() * 6) / 5;
      });
      const order = sortedHeads(big, "previous_token").map(({ layer, head }) => layer * 5 + head);
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
      const sorted = order.map((i) => values[i] ?? Number.NaN);
      const firstMissing = sorted.findIndex(Number.isNaN);
      const present = firstMissing < 0 ? sorted : sorted.slice(0, firstMissing);
      expect(sorted.slice(present.length).every(Number.isNaN)).toBe(true);
      present.slice(1).forEach((value, i) => {
        expect(value).toBeLessThanOrEqual(present[i] ?? 0);
      });
    }
  });

  it("filters by a share of the highest value, and never passes NaN", () => {
    const kept = (score: string, share: number) =>
      allHeads(result)
        .filter((ref) => passes(result, { score, share }, ref))
        .map(headLabel);
    expect(kept("induction", 0.5)).toEqual(["L0H1", "L0H2"]);
    expect(kept("entropy", 0.9)).toEqual(["L0H1", "L0H2"]);
    expect(kept("induction", 0)).not.toContain("L1H1");
    expect(allHeads(result).every((ref) => passes(result, null, ref))).toBe(true);
  });
});

describe("badges", () => {
  it("show the top score with word and letter, where it is high enough", () => {
    expect(headBadge(result, { layer: 0, head: 0 }, "light")).toMatchObject({
      text: "prev",
      letter: "P",
      value: expect.closeTo(0.9),
    });
    expect(headBadge(result, { layer: 0, head: 2 }, "light")?.text).toBe("ind");
    expect(headBadge(result, { layer: 1, head: 0 }, "light")).toBeNull();
    expect(headBadge(result, { layer: 1, head: 1 }, "light")).toBeNull();
  });

  it("come in one colour per score, the same in the legend", () => {
    const legend = badgeLegend(result, "dark");
    expect(legend.map(({ text }) => text)).toEqual(["prev", "ind"]);
    expect(new Set(legend.map(({ fill }) => fill)).size).toBe(2);
    expect(headBadge(result, { layer: 0, head: 1 }, "dark")?.fill).toBe(legend[1]?.fill);
  });
});

test.each(["light", "dark"] as const)("badges can be read and made out on %s", (theme) => {
  const ground = rgbFromHex(palette(theme).paper);
  const [score] = result.scores;
  const many = { ...result, scores: Array.from({ length: 12 }, () => score as HeadScore) };
  for (const { fill, ink } of badgeLegend(many, theme)) {
    expect(contrast(rgbFromHex(fill), rgbFromHex(ink))).toBeGreaterThan(4.5);
    expect(contrast(rgbFromHex(fill), ground)).toBeGreaterThan(3);
  }
});

describe("the enlarged set", () => {
  it("follows a selection from outside, and keeps the set that holds it", () => {
    const set = [
      { layer: 0, head: 1 },
      { layer: 1, head: 2 },
    ];
    expect(enlargedHeads(result, { ...NOTHING, layer: 1, head: 2 }, set)).toEqual(set);
    expect(enlargedHeads(result, { ...NOTHING, layer: 0, head: 0 }, set)).toEqual([
      { layer: 0, head: 0 },
    ]);
    expect(enlargedHeads(result, NOTHING, [])).toEqual([{ layer: 0, head: 0 }]);
    expect(enlargedHeads(result, { ...NOTHING, layer: 9, head: 0 }, set)).toEqual(set);
  });

  it("is never empty and never above the maximum", () => {
    const big = allHeads(patterns({ layers: 4, heads: 4, tokens: ["a"] }));
    const next = random(4);
    let set = big.slice(0, 1);
    for (let step = 0; step < 300; step++) {
      const ref = big[Math.floor(next() * big.length)] ?? { layer: 0, head: 0 };
      set = toggleHead(set, ref);
      expect(set.length).toBeGreaterThan(0);
      expect(set.length).toBeLessThanOrEqual(MAX_ENLARGED);
      expect(new Set(set.map(headLabel)).size).toBe(set.length);
    }
  });
});

describe("options", () => {
  it("take what is valid and fall back for the rest", () => {
    const read = readOptions(
      {
        attention_mode: "lines",
        attention_weighting: "nonsense",
        attention_sort: "induction",
        attention_filter: { score: "entropy", share: 3 },
        attention_heads: [[0, 1], [7, 7], "x", [1, 0.5]],
        attention_threshold: -1,
        attention_per_head: true,
      },
      result,
    );
    expect(read).toMatchObject({
      mode: "lines",
      weighting: "attention",
      sort: "induction",
      filter: null,
      perHead: true,
      heads: [{ layer: 0, head: 1 }],
    });
    expect(read.threshold).toBeGreaterThan(0);
    expect(writeHeads(read.heads)).toEqual([[0, 1]]);
  });
});
