// What the panels show, asked for as they need it.
import { useEffect, useLayoutEffect, useMemo, useReducer } from "preact/hooks";
import { type Ask, type SliceRequest, Slices } from "./slices";

/** The slices of one result; those of the result before are cancelled and let go. */
export function useSlices(resultId: number, requests: readonly SliceRequest[], ask: Ask): Slices {
  const [, changed] = useReducer((count: number) => count + 1, 0);
  const slices = useMemo(() => new Slices(() => changed(undefined)), [resultId]);
  useLayoutEffect(() => slices.want(requests, ask));
  useEffect(() => () => slices.want([], ask), [slices, ask]);
  return slices;
}
