import { describe, expect, it } from "vitest";
import { fitText, fixedFormat, formatNumber, textWidth } from "../../src/draw/text";

describe("fitText", () => {
  it("keeps what fits and never grows past the width", () => {
    for (const text of ["·antidisestablishmentarianism", "日本語テキスト", "😀😀😀😀", "a"]) {
      for (let width = 0; width < 200; width += 7) {
        const fitted = fitText(text, width, 11);
        expect(textWidth(fitted, 11)).toBeLessThanOrEqual(Math.max(width, 0));
        if (fitted !== text && fitted) expect(fitted.endsWith("…")).toBe(true);
      }
      expect(fitText(text, 1000, 11)).toBe(text);
    }
  });

  it("never cuts a character in half", () => {
    expect(fitText("😀😀😀😀", 40, 11)).toBe("😀😀…");
  });
});

describe("formatNumber", () => {
  it.each([
    [0, "0"],
    [-0, "0"],
    [0.8251, "0.825"],
    [-12.3456, "−12.3"],
    [50256, "50256"],
    [0.0000031, "3.1e−6"],
    [1234567.8, "1.23e6"],
    [1234.56, "1235"],
    [0.5, "0.5"],
    [Number.NaN, "n/a"],
    [Number.NEGATIVE_INFINITY, "−∞"],
  ])("%d is %s", (value, text) => expect(formatNumber(value)).toBe(text));
});

describe("fixedFormat", () => {
  it("gives every number of a scale the same decimals, and zero no sign", () => {
    const format = fixedFormat(9);
    expect([9, -0.5, -0.001, 0].map(format)).toEqual(["9.00", "−0.50", "0.00", "0.00"]);
    expect(fixedFormat(1)(0.82)).toBe("0.82");
    expect(fixedFormat(120)(3.6)).toBe("4");
  });
});
