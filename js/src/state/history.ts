// A history of values: steps back and forth.

export interface History<T> {
  past: readonly T[];
  now: T;
  future: readonly T[];
}

const MAX_STEPS = 200;

export const begin = <T>(now: T): History<T> => ({ past: [], now, future: [] });

/** The next value; what had been undone is gone. */
export function advance<T>({ past, now }: History<T>, next: T): History<T> {
  return { past: [...past, now].slice(-MAX_STEPS), now: next, future: [] };
}

export function undo<T>(history: History<T>): History<T> {
  const before = history.past.at(-1);
  if (before === undefined) return history;
  return {
    past: history.past.slice(0, -1),
    now: before,
    future: [history.now, ...history.future],
  };
}

export function redo<T>(history: History<T>): History<T> {
  const [next, ...future] = history.future;
  if (next === undefined) return history;
  return { past: [...history.past, history.now], now: next, future };
}
