import { useRef } from "preact/hooks";

/** The list of the last render while it holds the same items, so that it can key a memo. */
export function useSameList<T>(list: readonly T[]): readonly T[] {
  const last = useRef(list);
  const same =
    last.current.length === list.length && last.current.every((item, i) => item === list[i]);
  if (!same) last.current = list;
  return last.current;
}
