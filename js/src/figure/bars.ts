// Paired bars as a figure.
import type { Theme } from "../draw/colour";
import { formatNumber } from "../draw/text";
import { visible } from "../state/tokens";
import { rowsOf, sortOf } from "../views/bars/rows";
import { barsScene } from "../views/bars/scene";
import type { Drawing, Shown } from "../views/exports";
import { readOptions } from "../views/heatmap/options";
import type { Grid } from "../wire/types";
import { line } from "./page";

export function barsFigure(grid: Grid, { view }: Shown, theme: Theme, width: number): Drawing {
  const measure = grid.measures[readOptions(view, grid).measure];
  if (!measure) throw new Error("A grid needs a measure.");
  const rows = rowsOf(grid, measure, sortOf(view));
  const terms = grid.baselines.map(
    ({ label, value }) => `${visible(label)} ${formatNumber(value)}`,
  );
  return {
    title: grid.title,
    caption: [measure.definition, terms.length > 0 ? `In nats: ${terms.join(", ")}.` : ""]
      .join(" ")
      .trim(),
    drawings: [line(measure.title, theme), barsScene(rows, measure.unit, theme, width)],
  };
}
