// Which heads there are, which are held in full, and which are enlarged.
import type { HeadPattern, Patterns, Selection } from "../../wire/types";

export interface HeadRef {
  layer: number;
  head: number;
}

/** As many heads side by side as there are head colours that stay apart for all readers. */
export const MAX_ENLARGED = 8;

export const headLabel = ({ layer, head }: HeadRef): string => `L${layer}H${head}`;

export const sameHead = (a: HeadRef, b: HeadRef): boolean =>
  a.layer === b.layer && a.head === b.head;

/** Row of a head in every `[layer, head]` array. */
export const headIndex = (result: Patterns, { layer, head }: HeadRef): number =>
  layer * result.n_heads + head;

export function isHead(result: Patterns, layer: unknown, head: unknown): boolean {
  return (
    Number.isInteger(layer) &&
    Number.isInteger(head) &&
    (layer as number) >= 0 &&
    (layer as number) < result.n_layers &&
    (head as number) >= 0 &&
    (head as number) < result.n_heads
  );
}

export function allHeads(result: Patterns): HeadRef[] {
  return Array.from({ length: result.n_layers * result.n_heads }, (_, i) => ({
    layer: Math.floor(i / result.n_heads),
    head: i % result.n_heads,
  }));
}

export const heldHead = (result: Patterns, ref: HeadRef): HeadPattern | undefined =>
  result.heads.find((held) => sameHead(held, ref));

export function selectedHead(result: Patterns, selection: Selection): HeadRef | null {
  const { layer, head } = selection;
  return layer !== null && head !== null && isHead(result, layer, head) ? { layer, head } : null;
}

/** The enlarged heads: the chosen set, unless a head outside it was selected since. */
export function enlargedHeads(
  result: Patterns,
  selection: Selection,
  chosen: readonly HeadRef[],
): HeadRef[] {
  const set = chosen.filter((ref) => isHead(result, ref.layer, ref.head)).slice(0, MAX_ENLARGED);
  const selected = selectedHead(result, selection);
  if (selected) return set.some((ref) => sameHead(ref, selected)) ? set : [selected];
  if (set.length > 0) return set;
  const [first] = result.heads;
  return [first ? { layer: first.layer, head: first.head } : { layer: 0, head: 0 }];
}

/** The set after a modified click: `ref` in or out, never empty, never above the maximum. */
export function toggleHead(set: readonly HeadRef[], ref: HeadRef): HeadRef[] {
  const rest = set.filter((other) => !sameHead(other, ref));
  if (rest.length < set.length) return rest.length > 0 ? rest : [...set];
  return set.length < MAX_ENLARGED ? [...set, ref] : [...set];
}
