// The view of graphs, with what the shell needs to draw and to save it.
import { graphFigure } from "../figure/graph";
import { graphTable } from "../figure/graph-table";
import { bind } from "../lend/borrowed";
import { GraphView, graphCss } from "../views/graph";
import type { Island } from "../views/island";

export const island: Island = {
  kind: "circuit_graph",
  bind,
  view: GraphView,
  css: graphCss,
  exports: { figure: graphFigure, table: graphTable },
};
