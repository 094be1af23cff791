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

export const NOTHING: Selection = {
  layer: null,
  head: null,
  dest: null,
  src: null,
  token: null,
  component: null,
  feature: null,
};

const PLACE = /^(?:L|MLP)(\d+)(?:H(\d+))?/;
const index = (text: string | undefined): number | null =>
  text === undefined ? null : Number(text);

/** `old` with `patch` over it, and what the fields then say of each other: as `consistent` in
 * `widgets/selection.py`, a component or a feature says which layer and head these are, and where only
 * the layer or the head was changed, what was named before is given up. */
export function selected(old: Selection, patch: Partial<Selection>): Selection {
  const next = { ...merge(old, patch) };
  const moved = (...names: (keyof Selection)[]): boolean =>
    names.some((name) => next[name] !== old[name]);
  if (!moved("component", "feature") && moved("layer", "head"))
    next.component = next.feature = null;
  if (next.component && next.feature) next[moved("component") ? "feature" : "component"] = null;
  const place = PLACE.exec(next.component ?? next.feature ?? "");
  if (place) {
    next.layer = index(place[1]);
    next.head = index(place[2]);
  } else if (next.component) next.layer = next.head = null;
  else if (next.layer !== null && next.head !== null)
    next.component = `L${next.layer}H${next.head}`;
  return merge(old, next);
}
