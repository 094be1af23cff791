import { describe, expect, it } from "vitest";
import { fraction, makeRamp, type Theme, valueAt } from "../../src/draw/colour";
import { contrast, labDistance, labFromRgb, type Rgb, rgbFromHex } from "../../src/draw/oklab";
import { palette } from "../../src/draw/palette";
import type { Scale } from "../../src/wire/types";

const sequential: Scale = { kind: "sequential", low: 0, high: 1, reverse: false, log: false };
const diverging: Scale = { ...sequential, kind: "diverging", low: -2, high: 2 };
const themes: Theme[] = ["light", "dark"];
const steps = Array.from({ length: 257 }, (_, i) => i / 256);

// Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
const DEFICIENCIES = {
  protanopia: [
    0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998,
  ],
  deuteranopia: [
    0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881,
  ],
  tritanopia: [
    1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039,
  ],
};

function simulate(rgb: Rgb, m: number[]): Rgb {
  const linear = rgb.map((v) => ((v / 255 + 0.055) / 1.055) ** 2.4);
  return [0, 3, 6].map((row) => {
    const sum = linear.reduce((total, v, i) => total + v * (m[row + i] ?? 0), 0);
    const clipped = Math.min(1, Math.max(0, sum));
    return 255 * (1.055 * clipped ** (1 / 2.4) - 0.055);
  }) as unknown as Rgb;
}

const lightness = (css: string): number => labFromRgb(rgbFromHex(css))[0];

describe.each(themes)("ramps on a %s page", (theme) => {
  it("put the paper colour at the low end and at the centre", () => {
    const { paper } = palette(theme);
    expect(makeRamp(sequential, theme).css(0)).toBe(paper);
    expect(makeRamp(diverging, theme).css(0)).toBe(paper);
    expect(makeRamp({ ...sequential, reverse: true }, theme).css(1)).toBe(paper);
  });

  it("change lightness in one direction from the neutral end on", () => {
    const sign = theme === "light" ? -1 : 1;
    const arms = [
      steps.map((t) => makeRamp(sequential, theme).css(t)),
      steps.map((t) => makeRamp(diverging, theme).css(2 * t)),
      steps.map((t) => makeRamp(diverging, theme).css(-2 * t)),
    ];
    for (const arm of arms) {
      for (let i = 1; i < arm.length; i++) {
        const step = lightness(arm[i] ?? "") - lightness(arm[i - 1] ?? "");
        expect(sign * step).toBeGreaterThan(-0.004); // colours are rounded to bytes
      }
      expect(sign * (lightness(arm.at(-1) ?? "") - lightness(arm[0] ?? ""))).toBeGreaterThan(0.5);
    }
  });

  it("take even steps in OKLab", () => {
    const ramp = makeRamp(sequential, theme);
    const distances = Array.from({ length: 16 }, (_, i) =>
      labDistance(
        labFromRgb(rgbFromHex(ramp.css(i / 16))),
        labFromRgb(rgbFromHex(ramp.css((i + 1) / 16))),
      ),
    );
    expect(Math.max(...distances) / Math.min(...distances)).toBeLessThan(1.35);
  });

  it("have the positive end blue and the negative end red, apart for every colour vision", () => {
    const ramp = makeRamp(diverging, theme);
    const [negative, positive] = [rgbFromHex(ramp.css(-2)), rgbFromHex(ramp.css(2))];
    expect(positive[2]).toBeGreaterThan(positive[0]);
    expect(negative[0]).toBeGreaterThan(negative[2]);
    for (const matrix of Object.values(DEFICIENCIES)) {
      for (const share of [0.35, 0.7, 1]) {
        const ends = [-2 * share, 2 * share].map((v) => simulate(rgbFromHex(ramp.css(v)), matrix));
        const [one, other] = ends.map(labFromRgb);
        expect(one && other && labDistance(one, other)).toBeGreaterThan(0.08);
      }
    }
  });

  it("write ink that reads on every colour, and on the missing one", () => {
    for (const scale of [sequential, diverging]) {
      const ramp = makeRamp(scale, theme);
      for (const t of steps) {
        const value = valueAt(scale, t);
        const ratio = contrast(rgbFromHex(ramp.css(value)), rgbFromHex(ramp.ink(value)));
        expect(ratio).toBeGreaterThan(4.5);
      }
      const missing = contrast(rgbFromHex(ramp.missing), rgbFromHex(ramp.ink(Number.NaN)));
      expect(missing).toBeGreaterThan(4.5);
    }
  });

  it("colour what is missing like no value", () => {
    for (const scale of [sequential, diverging]) {
      const ramp = makeRamp(scale, theme);
      expect(ramp.css(Number.NaN)).toBe(ramp.missing);
      const missing = labFromRgb(rgbFromHex(ramp.missing));
      const nearest = Math.min(
        ...steps.map((t) =>
          labDistance(missing, labFromRgb(rgbFromHex(ramp.css(valueAt(scale, t))))),
        ),
      );
      expect(nearest).toBeGreaterThan(0.03);
    }
  });

  it("write the same colour as pixels and as text", () => {
    const ramp = makeRamp({ ...sequential, log: true, high: 50_000, reverse: true }, theme);
    for (const value of [0, 3, 77, 50_000, Number.NaN, 1e9, -5]) {
      const pixel = new Uint8ClampedArray(8);
      ramp.write(value, pixel, 4);
      expect([...pixel]).toEqual([0, 0, 0, 0, ...rgbFromHex(ramp.css(value)), 255]);
    }
  });

  it("keep text and lines readable on the paper", () => {
    const { paper, text, muted, pin, series } = palette(theme);
    for (const ink of [text, muted]) {
      expect(contrast(rgbFromHex(ink), rgbFromHex(paper))).toBeGreaterThan(4.5);
    }
    for (const line of [pin, ...series]) {
      expect(contrast(rgbFromHex(line), rgbFromHex(paper))).toBeGreaterThan(3);
    }
  });
});

describe("places on a scale", () => {
  const scales: Scale[] = [
    { ...sequential, low: -8, high: 0 },
    { ...sequential, high: 50_256, log: true },
    diverging,
  ];

  it("are inverted by valueAt", () => {
    for (const scale of scales) {
      for (const t of [0, 0.2, 0.5, 0.99, 1]) {
        expect(fraction(scale, valueAt(scale, t))).toBeCloseTo(t, 9);
      }
    }
  });

  it("are clamped, and taken of log(1 + value) on a log scale", () => {
    const scale = { ...sequential, high: 99, log: true };
    expect(fraction(scale, 9)).toBeCloseTo(0.5, 9);
    expect(fraction(scale, 1e6)).toBe(1);
    expect(fraction(scale, Number.NEGATIVE_INFINITY)).toBe(0);
    expect(fraction(scale, Number.NaN)).toBeNaN();
  });
});
