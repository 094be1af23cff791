/** A pinned position, or null where the prompt has no such token. */
export const position = (at: number | null, n: number): number | null =>
  at !== null && Number.isInteger(at) && at >= 0 && at < n ? at : null;
