// The view of texts, with what the shell needs to draw and to save it.
import { heatmapTable } from "../figure/heatmap-table";
import { textsFigure } from "../figure/texts";
import { bind } from "../lend/borrowed";
import type { Island } from "../views/island";
import { TextsView, textsCss } from "../views/texts";

export const island: Island = {
  kind: "texts",
  bind,
  view: TextsView,
  css: textsCss,
  exports: { figure: textsFigure, table: heatmapTable },
};
