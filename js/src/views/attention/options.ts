// The view's style options, read from the synced dictionary with every value checked.
import type { Patterns, ViewOptions } from "../../wire/types";
import { type HeadRef, isHead } from "./heads";
import type { MixChoice } from "./mix";
import { MIXES } from "./mix";
import { type HeadFilter, scoreNamed } from "./order";
import { WEIGHTINGS, type Weighting } from "./weighting";

export type Mode = "matrix" | "text" | "lines";

/** `src`: colour the sources a token attends to. `dest`: the tokens that attend to it. */
export type Direction = "src" | "dest";

export interface AttentionOptions {
  mode: Mode;
  weighting: Weighting;
  /** "layer", or the name of a score. */
  sort: string;
  filter: HeadFilter | null;
  perHead: boolean;
  heads: HeadRef[];
  direction: Direction;
  mix: MixChoice;
  /** Least weight of a line, as a share of the top of the scale. */
  threshold: number;
}

type Key = keyof AttentionOptions;

export const optionName = (key: Key): `attention_${Exclude<Key, "perHead"> | "per_head"}` =>
  key === "perHead" ? "attention_per_head" : `attention_${key}`;

const DEFAULT_THRESHOLD = 0.05;

export function readOptions(options: ViewOptions, result: Patterns): AttentionOptions {
  const get = (key: Key): unknown => options[optionName(key)];
  const sort = get("sort");
  const heads = get("heads");
  return {
    mode: oneOf(get("mode"), ["matrix", "text", "lines"]),
    weighting: oneOf(
      get("weighting"),
      WEIGHTINGS.map(({ name }) => name),
    ),
    sort: typeof sort === "string" && scoreNamed(result, sort) ? sort : "layer",
    filter: readFilter(get("filter"), result),
    perHead: get("perHead") === true,
    heads: Array.isArray(heads) ? heads.flatMap((pair) => readHead(pair, result)) : [],
    direction: oneOf(get("direction"), ["src", "dest"]),
    mix: oneOf(
      get("mix"),
      MIXES.map(({ name }) => name),
    ),
    threshold: readShare(get("threshold")) ?? DEFAULT_THRESHOLD,
  };
}

/** Heads as they are stored: `[[layer, head], ...]`. */
export const writeHeads = (heads: readonly HeadRef[]): number[][] =>
  heads.map(({ layer, head }) => [layer, head]);

function oneOf<T extends string>(value: unknown, known: readonly [T, ...T[]] | readonly T[]): T {
  return known.find((name) => name === value) ?? (known[0] as T);
}

function readShare(value: unknown): number | null {
  return typeof value === "number" && value >= 0 && value <= 1 ? value : null;
}

function readHead(pair: unknown, result: Patterns): HeadRef[] {
  if (!Array.isArray(pair)) return [];
  const [layer, head] = pair;
  return isHead(result, layer, head) ? [{ layer, head }] : [];
}

function readFilter(value: unknown, result: Patterns): HeadFilter | null {
  if (typeof value !== "object" || value === null) return null;
  const { score, share } = value as Partial<Record<keyof HeadFilter, unknown>>;
  const checked = readShare(share);
  return typeof score === "string" && scoreNamed(result, score) && checked !== null
    ? { score, share: checked }
    : null;
}
