// Placing things: which part of a long row of equal cells is in sight, how many labels fit, where
// the ticks of an axis go.

/** Indices `first` up to, not including, `end`. */
export interface Span {
  first: number;
  end: number;
}

/** The cells of `count`, each `size` long, that show in a viewport of `length` scrolled by
 * `offset`. */
export function visibleSpan(offset: number, length: number, size: number, count: number): Span {
  const first = Math.min(count, Math.max(0, Math.floor(offset / size)));
  return { first, end: Math.max(first, Math.min(count, Math.ceil((offset + length) / size))) };
}

/** The scroll offset nearest to `offset` at which cell `index` is wholly in sight. */
export function scrollTo(index: number, offset: number, length: number, size: number): number {
  const start = index * size;
  if (start < offset) return start;
  return Math.max(offset, start + size - length);
}

/** Label every how many cells, so that labels `label` long do not touch. One of 1, 2, 5, 10, 20 and
 * so on, so that numbered labels stay round. */
export function labelEvery(size: number, label: number): number {
  const needed = label / size;
  if (needed <= 1) return 1;
  return niceStep(needed);
}

/** The smallest of 1, 2 or 5 times a power of ten that is not under `least`. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  const factor = [1, 2, 5, 10].find((f) => f * power >= least * (1 - 1e-9)) ?? 10;
  return factor * power;
}

/** Round values in `low` to `high`, at most about `count` of them. */
export function niceTicks(low: number, high: number, count: number): number[] {
  const step = niceStep((high - low) / Math.max(1, count));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
}
