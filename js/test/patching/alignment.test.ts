import { describe, expect, it } from "vitest";
import { placed, stepped, unmatched } from "../../src/views/patching/alignment";
import { random } from "../heatmap/grids";

describe("moving a token", () => {
  const source = [0, 1, -1, -1, 2, 4];

  it("leaves its place, and whatever it displaces meets nothing", () => {
    expect(placed(source, 2, 3)).toEqual([0, 1, -1, 2, -1, 4]);
    expect(placed(source, 2, 1)).toEqual([0, 2, -1, -1, -1, 4]);
    expect(placed(source, 3, 2)).toBeNull(); // 2 would come after it
    expect(placed(source, 3, 5)).toEqual([0, 1, -1, -1, 2, 3]);
    expect(placed(source, 4, null)).toEqual([0, 1, -1, -1, 2, -1]);
  });

  it("is refused where tokens would cross, outside the prompt, and where none would be left", () => {
    expect(placed(source, 4, 2)).toBeNull();
    expect(placed(source, 2, 6)).toBeNull();
    expect(placed(source, 2, -1)).toBeNull();
    expect(placed([-1, 0], 0, null)).toBeNull();
  });

  it("keeps the order of both prompts, whatever is tried", () => {
    const next = random(5);
    const pick = (count: number): number => Math.floor(next() * count);
    let now: readonly number[] = Array.from({ length: 9 }, (_, i) => i);
    let refused = 0;
    for (let trial = 0; trial < 3000; trial++) {
      const to = pick(11);
      const moved = placed(now, pick(12), to > 8 ? null : to);
      if (!moved) {
        refused += 1;
        continue;
      }
      const met = moved.filter((token) => token >= 0);
      expect(met.length).toBeGreaterThan(0);
      expect(met).toEqual([...new Set(met)].sort((p, q) => p - q));
      now = moved;
    }
    expect(refused).toBeGreaterThan(100);
    expect(refused).toBeLessThan(2900);
  });

  it("by an arrow key goes one position on, or beside the neighbour that it has", () => {
    expect(stepped(source, 2, -1)).toBe(3);
    expect(stepped(source, 2, 1)).toBe(5);
    expect(stepped(source, 3, 1)).toBe(5); // after 2
    expect(stepped(source, 3, -1)).toBe(4); // before 4
    expect(stepped([-1, 5], 7, -1)).toBe(1); // nothing after it: from the end
    expect(stepped([-1, 5], 2, 1)).toBe(0); // nothing before it: from the start
  });
});

it("tokens without counterpart are those that no position meets", () => {
  expect(unmatched([0, 1, -1, -1, 2, 4], 6)).toEqual([3, 5]);
});
