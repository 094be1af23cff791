// The view of curves, with what the shell needs to draw and to save it.
import { curvesFigure } from "../figure/curves";
import { heatmapTable } from "../figure/heatmap-table";
import { bind } from "../lend/borrowed";
import { CurvesView, curvesCss } from "../views/curves";
import type { Island } from "../views/island";

export const island: Island = {
  kind: "curves",
  bind,
  view: CurvesView,
  css: curvesCss,
  exports: { figure: curvesFigure, table: heatmapTable },
};
