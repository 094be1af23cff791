// From value to colour. Colour-blind-safe ramps for light and dark pages.
import type { Scale } from "../wire/types";
import {
  contrast,
  evenSteps,
  hexFromRgb,
  type Lab,
  labFromRgb,
  type Rgb,
  rgbFromHex,
} from "./oklab";
import { palette } from "./palette";

export type Theme = "light" | "dark";

/** Maps values of one scale to colours. NaN maps to `missing`. */
export interface Ramp {
  readonly scale: Scale;
  readonly missing: string;
  css(value: number): string;
  /** Writes r, g, b, a of `value` at `offset`. */
  write(value: number, out: Uint8ClampedArray, offset: number): void;
  /** Black or white, whichever reads better on the colour of `value`. */
  ink(value: number): string;
}

/** Odd, so that the centre of a diverging scale is an entry. */
const STEPS = 257;

/** Corners that the ramps pass through after (sequential) or around (diverging) the paper colour.
 * Lightness changes in one direction only, so order survives any colour vision and grey print. The
 * two ends of the diverging ramp differ along blue to yellow too, which red-green deficiencies
 * keep. */
const CORNERS = {
  light: {
    sequential: ["#b9d8ef", "#5b9fd0", "#1f63a8", "#0a2f66"],
    negative: ["#f0b9a8", "#d8604c", "#8f1327"],
    positive: ["#b9d8ef", "#4f94cc", "#0d3f83"],
    missing: "#d4d4d4",
  },
  dark: {
    sequential: ["#15315c", "#1b6390", "#37a1a5", "#a4d98c", "#fbf3b0"],
    negative: ["#551a20", "#b2392f", "#ff9a7c"],
    positive: ["#143459", "#1f6fb4", "#83c8ff"],
    missing: "#3d3d3d",
  },
} as const;

interface Lut {
  rgb: Rgb[];
  css: string[];
  ink: string[];
}

const BLACK = "#000000";
const WHITE = "#ffffff";

const inkOn = (rgb: Rgb): string =>
  contrast(rgb, rgbFromHex(BLACK)) >= contrast(rgb, rgbFromHex(WHITE)) ? BLACK : WHITE;

const lab = (hex: string): Lab => labFromRgb(rgbFromHex(hex));

function buildLut(kind: Scale["kind"], theme: Theme): Lut {
  const corners = CORNERS[theme];
  const paper = lab(palette(theme).paper);
  const arm = (hexes: readonly string[], steps: number): Rgb[] =>
    evenSteps([paper, ...hexes.map(lab)], steps);
  const half = (STEPS + 1) / 2;
  const rgb =
    kind === "sequential"
      ? arm(corners.sequential, STEPS)
      : [...arm(corners.negative, half).reverse(), ...arm(corners.positive, half).slice(1)];
  return { rgb, css: rgb.map(hexFromRgb), ink: rgb.map(inkOn) };
}

const luts = new Map<string, Lut>();

function lutOf(kind: Scale["kind"], theme: Theme): Lut {
  const key = `${kind} ${theme}`;
  const known = luts.get(key);
  if (known) return known;
  const lut = buildLut(kind, theme);
  luts.set(key, lut);
  return lut;
}

/** Where `value` lies on the scale's domain, 0 to 1, clamped; NaN stays NaN. `reverse` is not
 * applied: this is a place on the value axis, not a colour. */
export function fraction(scale: Scale, value: number): number {
  const place = scale.log ? Math.log1p : (v: number): number => v;
  const inside = Math.min(scale.high, Math.max(scale.low, value));
  const low = place(scale.low);
  return (place(inside) - low) / (place(scale.high) - low);
}

/** The value at `t` of the scale's domain: the inverse of `fraction`. */
export function valueAt(scale: Scale, t: number): number {
  const place = scale.log ? Math.log1p : (v: number): number => v;
  const low = place(scale.low);
  const value = low + t * (place(scale.high) - low);
  return scale.log ? Math.expm1(value) : value;
}

/** Sequential: paper to strong, evenly in OKLab. Diverging: red, paper at 0, blue for positive. */
export function makeRamp(scale: Scale, theme: Theme): Ramp {
  const lut = lutOf(scale.kind, theme);
  const missing = CORNERS[theme].missing;
  const missingRgb = rgbFromHex(missing);
  const index = (value: number): number => {
    const t = fraction(scale, value);
    return Math.round((scale.reverse ? 1 - t : t) * (STEPS - 1));
  };
  return {
    scale,
    missing,
    css: (value) => lut.css[index(value)] ?? missing,
    write(value, out, offset) {
      const [red, green, blue] = lut.rgb[index(value)] ?? missingRgb;
      out[offset] = red;
      out[offset + 1] = green;
      out[offset + 2] = blue;
      out[offset + 3] = 255;
    },
    ink: (value) => lut.ink[index(value)] ?? inkOn(missingRgb),
  };
}
