// What a result gives to be saved: from the bundle that its view is in, or the shell's own.
import type { Exports } from "../views/exports";
import type { Island } from "../views/island";
import { viewName } from "../views/name";
import type { Result } from "../wire/types";
import { heatmapFigure } from "./heatmap";
import { heatmapTable } from "./heatmap-table";

export function exportsOf(result: Result, islands: readonly Island[]): Exports {
  const own = result.kind === "grid" ? { figure: heatmapFigure, table: heatmapTable } : null;
  const found = islands.find(({ kind }) => kind === viewName(result))?.exports ?? own;
  if (!found) throw new Error(`What saves this result (${result.kind}) is not here.`);
  // As with views, the type of a look-up cannot say that a kind gets what is its own.
  return found as Exports;
}
