// The view of attention patterns, with what the shell needs to draw and to save it.
import { attentionFigure, completedPatterns } from "../figure/attention";
import { attentionTable } from "../figure/attention-table";
import { bind } from "../lend/borrowed";
import { AttentionView, attentionCss } from "../views/attention";
import type { Island } from "../views/island";

export const island: Island = {
  kind: "patterns",
  bind,
  view: AttentionView,
  css: attentionCss,
  exports: { figure: attentionFigure, table: attentionTable, completed: completedPatterns },
};
