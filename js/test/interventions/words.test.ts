import { describe, expect, test } from "vitest";
import examples from "../../../tests/golden/interventions.json";
import { amountOf, readPositions } from "../../src/interventions/editing";
import { wordsOf } from "../../src/interventions/words";
import type { InterventionData } from "../../src/wire/types";

test.each(examples)("in Python's words: $words", ({ item, words }) => {
  expect(wordsOf(item as InterventionData)).toBe(words);
});

describe("amounts", () => {
  const scale = (factor: number): InterventionData => ({
    kind: "scale",
    on: true,
    component: "L0",
    factor,
    positions: null,
  });
  test("a slider reaches what it shows", () => {
    expect(amountOf(scale(0.5))).toMatchObject({ field: "factor", low: -2, high: 2 });
    expect(amountOf(scale(-5))).toMatchObject({ low: -8, high: 8 });
    expect(amountOf({ kind: "repeat", on: true, layer: 1, times: 9 })).toMatchObject({
      low: 2,
      high: 16,
    });
    expect(amountOf({ kind: "swap", on: true, first: 1, second: 2 })).toBeNull();
  });
});

test("positions are numbers, or all", () => {
  expect(readPositions(" 2, -1 ")).toEqual([2, -1]);
  expect(readPositions("")).toBeNull();
  expect(readPositions("all")).toBeNull();
  expect(readPositions("1.5")).toBeUndefined();
});
