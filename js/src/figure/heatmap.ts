// A grid as a figure: all of it in sight, with its colour scale and the states of its cells.
import { makeRamp, type Theme } from "../draw/colour";
import { legendScene } from "../draw/legend";
import type { Scene } from "../draw/scene";
import type { Drawing, Shown } from "../views/exports";
import { layoutOf } from "../views/heatmap/layout";
import { readOptions } from "../views/heatmap/options";
import { heatmapScene } from "../views/heatmap/scene";
import { sliceOf } from "../views/heatmap/slice";
import { STATES, statesOf, swatch } from "../views/heatmap/states";
import type { Grid } from "../wire/types";
import { entry, flow, line } from "./page";

const LEGEND_WIDTH = 220;

export function heatmapFigure(grid: Grid, { view }: Shown, theme: Theme, width: number): Drawing {
  const { chosen, ...options } = readOptions(view, grid);
  const slice = sliceOf(grid, { chosen, ...options });
  const layout = layoutOf(slice, "fit", width);
  const window = {
    scrollX: 0,
    scrollY: 0,
    width: Math.min(width, layout.contentWidth),
    height: layout.contentHeight,
  };
  const { title, unit, scale, definition } = slice.measure;
  const said = title.toLowerCase().includes(unit.toLowerCase());
  const name = `${title}${unit && !said ? ` (${unit})` : ""}${scale.log ? ", log scale" : ""}`;
  const ramp = makeRamp(scale, theme);
  const states = statesOf(slice).flatMap((count, state): Scene[] =>
    count > 0 ? [entry(swatch(state, ramp, theme), `${count} ${STATES[state]}`, theme)] : [],
  );
  const bar = legendScene(scale, theme, Math.min(LEGEND_WIDTH, width));
  const choice = grid.axes
    .slice(0, -2)
    .map((axis, i) => `${axis.name} ${axis.labels[chosen[i] ?? 0] ?? ""}`);
  return {
    title: [grid.title, ...choice].join(", "),
    caption: [definition, scale.kind === "diverging" ? grid.provenance.sign : ""].join(" ").trim(),
    drawings: [
      flow([line(name, theme), bar, ...states], width),
      heatmapScene(slice, layout, window, theme),
    ],
  };
}
