// The view of bars, with what the shell needs to draw and to save it.
import { barsFigure } from "../figure/bars";
import { heatmapTable } from "../figure/heatmap-table";
import { bind } from "../lend/borrowed";
import { BarsView, barsCss } from "../views/bars";
import type { Island } from "../views/island";

export const island: Island = {
  kind: "bars",
  bind,
  view: BarsView,
  css: barsCss,
  exports: { figure: barsFigure, table: heatmapTable },
};
