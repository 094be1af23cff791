// What a kind gives to be saved: the shell's own, or from the bundle that its view is in.
import type { Exports } from "../views/exports";
import type { Island } from "../views/island";
import type { Result } from "../wire/types";
import { heatmapFigure } from "./heatmap";
import { heatmapTable } from "./heatmap-table";

export function exportsOf(kind: Result["kind"], islands: readonly Island[]): Exports {
  const own = kind === "grid" ? { figure: heatmapFigure, table: heatmapTable } : null;
  const found = own ?? islands.find((island) => island.kind === kind)?.exports;
  if (!found) throw new Error(`What saves this result (${kind}) is not here.`);
  // As with views, the type of a look-up cannot say that a kind gets what is its own.
  return found as Exports;
}
