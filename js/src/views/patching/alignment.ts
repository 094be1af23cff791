// Which tokens of two prompts meet, and how a reader may change it.

/** For each position that is shown the token of the other prompt that meets it; -1: none. */
export type Source = readonly number[];

/** `source` with `token` of the other prompt at `position` (null: nowhere); whatever met that
 * position before meets nothing. Null where tokens would cross, or none would be left. */
export function placed(source: Source, token: number, position: number | null): Source | null {
  const next = source.map((met) => (met === token ? -1 : met));
  if (position !== null) {
    if (!(position in next)) return null;
    next[position] = token;
  }
  let last = -1;
  for (const met of next) {
    if (met < 0) continue;
    if (met <= last) return null;
    last = met;
  }
  return last < 0 ? null : next;
}

/** Where an arrow key takes `token`: one position on, or, if it meets nothing, next to its
 * neighbour's place. */
export function stepped(source: Source, token: number, by: 1 | -1): number {
  const at = source.indexOf(token);
  if (at >= 0) return at + by;
  const before = (at: number, met: number, i: number): number => (met >= 0 && met < token ? i : at);
  if (by > 0) return source.reduce(before, -1) + 1;
  const after = source.findIndex((met) => met > token);
  return (after < 0 ? source.length : after) - 1;
}

/** Tokens of the other prompt, `count` in all, that meet nothing. */
export function unmatched(source: Source, count: number): number[] {
  const met = new Set(source);
  return Array.from({ length: count }, (_, i) => i).filter((i) => !met.has(i));
}
