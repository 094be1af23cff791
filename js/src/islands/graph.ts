// The view of graphs, with what the shell needs to draw it.
import { bind } from "../lend/borrowed";
import { GraphView, graphCss } from "../views/graph";
import type { Island } from "../views/island";

export const island: Island = { kind: "circuit_graph", bind, view: GraphView, css: graphCss };
