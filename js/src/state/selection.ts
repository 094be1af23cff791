// The pinned selection and the style options: pure changes.
import type { Selection } from "../wire/types";

/** `base` with `patch` over it; `base` itself if that changes nothing. */
export function merge<T extends object>(base: T, patch: Partial<T>): T {
  const entries = Object.entries(patch) as [keyof T, T[keyof T] | undefined][];
  const changed = entries.some(
    ([key, value]) => value !== undefined && !Object.is(base[key], value),
  );
  return changed ? { ...base, ...patch } : base;
}

export const NOTHING: Selection = { layer: null, head: null, dest: null, src: null, token: null };
