// The entry of the bundle that draws figures where there is no browser: a payload in, SVG text out.

import type { Theme } from "./draw/colour";
import { toSvg } from "./draw/svg";
import { attentionFigure } from "./figure/attention";
import { graphFigure } from "./figure/graph";
import { heatmapFigure } from "./figure/heatmap";
import type { Drawing } from "./figure/kinds";
import { figure, PAD } from "./figure/page";
import type { FrozenWidget } from "./host/frozen";
import { widgetOf } from "./host/packed";
import { merge, NOTHING } from "./state/selection";
import { fromBase64 } from "./wire/base64";
import { decodeResult } from "./wire/decode";

export interface Wanted {
  theme: Theme;
  /** CSS pixels, of which an inch has 96. */
  width: number;
  /** Null: the result's own; empty: none. */
  title: string | null;
  caption: string | null;
}

function drawingOf(shown: FrozenWidget, theme: Theme, width: number): Drawing {
  const { view, marks } = shown;
  const result = decodeResult(shown.payload);
  switch (result.kind) {
    case "grid":
      return heatmapFigure(result, view, theme, width);
    case "patterns":
      return attentionFigure(result, view, merge(NOTHING, shown.selection), theme, width);
    case "circuit_graph":
      return graphFigure(result, view, marks, theme, width);
  }
}

export function svgOf(shown: FrozenWidget, wanted: Wanted): string {
  const { theme } = wanted;
  const width = wanted.width - 2 * PAD;
  const { title, caption, drawings } = drawingOf(shown, theme, width);
  const texts = { title: wanted.title ?? title, caption: wanted.caption ?? caption };
  return toSvg(figure({ ...texts, theme, width, drawings }));
}

/** `line`, `body`: a packed widget's line of JSON, and its buffers in base64. */
function headscopeFigure(line: string, body: string, wanted: string): string {
  return svgOf(widgetOf(line, fromBase64(body)), JSON.parse(wanted) as Wanted);
}
Object.assign(globalThis, { headscopeFigure });
