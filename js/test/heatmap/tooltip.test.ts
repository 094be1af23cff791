import { describe, expect, it } from "vitest";
import { place } from "../../src/views/parts/tooltip";
import { random } from "./grids";

describe("the tooltip's place", () => {
  it("is on the page and never over its anchor", () => {
    const next = random(4);
    const width = 264;
    for (let trial = 0; trial < 300; trial++) {
      const page = { width: 300 + next() * 900, height: 400 + next() * 600 };
      const left = next() * page.width * 0.9;
      const top = next() * page.height * 0.9;
      const anchor = { left, top, right: left + 40, bottom: top + 20 };
      const at = place(anchor, width, page);
      const x = Number.parseInt(at.left, 10);
      expect(x).toBeGreaterThanOrEqual(9);
      expect(x + width).toBeLessThanOrEqual(page.width);
      const beside = x >= anchor.right || x + width <= anchor.left;
      const below = at.top !== "auto" && Number.parseInt(at.top, 10) >= anchor.bottom;
      const above =
        at.bottom !== "auto" && page.height - Number.parseInt(at.bottom, 10) <= anchor.top;
      expect(beside || below || above).toBe(true);
    }
  });
});
