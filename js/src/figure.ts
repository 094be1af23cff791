// The entry of the bundle that draws figures where there is no browser: a payload in, SVG text out.

import type { Theme } from "./draw/colour";
import { attentionFigure } from "./figure/attention";
import { barsFigure } from "./figure/bars";
import { curvesFigure } from "./figure/curves";
import { graphFigure } from "./figure/graph";
import { heatmapFigure } from "./figure/heatmap";
import { figureSvg, type Wanted } from "./figure/svg";
import { textsFigure } from "./figure/texts";
import type { FrozenWidget } from "./host/frozen";
import { widgetOf } from "./host/packed";
import { merge, NOTHING } from "./state/selection";
import type { Drawing, Shown } from "./views/exports";
import { fromBase64 } from "./wire/base64";
import { decodeResult } from "./wire/decode";
import type { Grid } from "./wire/types";

const gridFigure = (grid: Grid) =>
  ({ heatmap: heatmapFigure, curves: curvesFigure, texts: textsFigure, bars: barsFigure })[
    grid.drawn
  ];

export function svgOf({ payload, ...shown }: FrozenWidget, wanted: Wanted): string {
  if (!payload) throw new Error("There is no result to draw.");
  const result = decodeResult(payload);
  const state: Shown = { ...shown, selection: merge(NOTHING, shown.selection) };
  const draw = (theme: Theme, width: number): Drawing => {
    switch (result.kind) {
      case "grid":
        return gridFigure(result)(result, state, theme, width);
      case "patterns":
        return attentionFigure(result, state, theme, width);
      case "circuit_graph":
        return graphFigure(result, state, theme, width);
    }
  };
  return figureSvg(draw, result.provenance, wanted);
}

/** `line`, `body`: a packed widget's line of JSON, and its buffers in base64. */
function headscopeFigure(line: string, body: string, wanted: string): string {
  return svgOf(widgetOf(line, fromBase64(body)), JSON.parse(wanted) as Wanted);
}
Object.assign(globalThis, { headscopeFigure });
