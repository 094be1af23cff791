// OKLab (Björn Ottosson, 2020): a space where equal distances look equally different.

/** Lightness 0 to 1, green to red, blue to yellow. */
export type Lab = readonly [lightness: number, a: number, b: number];
/** Red, green, blue, each 0 to 255. */
export type Rgb = readonly [red: number, green: number, blue: number];

const toLinear = (byte: number): number => {
  const c = byte / 255;
  return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
};

const toByte = (linear: number): number => {
  const c = Math.min(1, Math.max(0, linear));
  return Math.round(255 * (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055));
};

export function labFromRgb([red, green, blue]: Rgb): Lab {
  const r = toLinear(red);
  const g = toLinear(green);
  const b = toLinear(blue);
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/** Colours outside sRGB are clipped channel by channel. */
export function rgbFromLab([lightness, a, b]: Lab): Rgb {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    toByte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    toByte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    toByte(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

export function rgbFromHex(hex: string): Rgb {
  const n = Number.parseInt(hex.slice(1), 16);
  return [n >> 16, (n >> 8) & 255, n & 255];
}

export function hexFromRgb([red, green, blue]: Rgb): string {
  return `#${((1 << 24) | (red << 16) | (green << 8) | blue).toString(16).slice(1)}`;
}

/** Relative luminance as WCAG 2 defines it, 0 to 1. */
function luminance([red, green, blue]: Rgb): number {
  return 0.2126 * toLinear(red) + 0.7152 * toLinear(green) + 0.0722 * toLinear(blue);
}

/** Contrast ratio as WCAG 2 defines it, 1 to 21. */
export function contrast(one: Rgb, other: Rgb): number {
  const [low, high] = [luminance(one), luminance(other)].sort((p, q) => p - q) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

export const labDistance = (p: Lab, q: Lab): number =>
  Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);

/** `count` colours along the straight segments through `stops`, at equal distances in OKLab. */
export function evenSteps(stops: readonly Lab[], count: number): Rgb[] {
  const reach = [0];
  stops.slice(1).forEach((stop, i) => {
    reach.push((reach[i] ?? 0) + labDistance(stops[i] ?? stop, stop));
  });
  const total = reach.at(-1) ?? 0;
  return Array.from({ length: count }, (_, step) => {
    const distance = (total * step) / (count - 1);
    const end = Math.max(
      1,
      reach.findIndex((r) => r >= distance - 1e-9),
    );
    const [p, q] = [stops[end - 1], stops[end]] as [Lab, Lab];
    const [from, to] = [reach[end - 1], reach[end]] as [number, number];
    const t = (distance - from) / (to - from);
    return rgbFromLab([
      p[0] + t * (q[0] - p[0]),
      p[1] + t * (q[1] - p[1]),
      p[2] + t * (q[2] - p[2]),
    ]);
  });
}
