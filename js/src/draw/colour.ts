// From value to colour. Colour-blind-safe ramps for light and dark pages.
import type { Scale } from "../wire/types";

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

export function makeRamp(_scale: Scale, _theme: Theme): Ramp {
  throw new Error("to be written by the owner of draw/");
}
