// Colour scales that are given from outside, so that several results can be compared by their colours.
import type { Scale, ViewOptions } from "../wire/types";

/** The least and the largest value, by the name of a measure or a weighting. */
export type Scales = Readonly<Record<string, readonly [number, number]>>;

const NONE: Scales = {};

/** Those among the style options; what is malformed is left out with all the others. */
export function readScales({ scales }: ViewOptions): Scales {
  const fit = (pair: unknown): boolean =>
    Array.isArray(pair) && pair.length === 2 && pair.every(Number.isFinite) && pair[0] < pair[1];
  const named = typeof scales === "object" && scales !== null;
  return named && Object.values(scales).every(fit) ? (scales as Scales) : NONE;
}

/** A scale over the given domain; a diverging one reaches as far as either end. */
export function given(scale: Scale, domain: readonly [number, number] | undefined): Scale {
  if (!domain) return scale;
  const [low, high] = domain;
  const reach = Math.max(Math.abs(low), Math.abs(high));
  return scale.kind === "diverging"
    ? { ...scale, low: -reach, high: reach }
    : { ...scale, low, high };
}
