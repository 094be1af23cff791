// What the view of a result is called: as its kind is, or, of grids, as they are drawn.
import type { Grid, Result } from "../wire/types";

export type ViewName = Result["kind"] | Exclude<Grid["drawn"], "heatmap">;

export function viewName(result: Result): ViewName {
  // Results that were saved before grids had a choice have none.
  if (result.kind !== "grid" || !result.drawn || result.drawn === "heatmap") return result.kind;
  return result.drawn;
}
