// Curves as a figure: every chart, and the stretches that they are read by.
import { chartScene } from "../draw/chart";
import type { Theme } from "../draw/colour";
import type { Scene } from "../draw/scene";
import { CHART_HEIGHT, chartWidth } from "../views/curves";
import { chartsOf, rowsOf } from "../views/curves/charts";
import { extentOf, stretchScene } from "../views/curves/stretches";
import type { Drawing, Shown } from "../views/exports";
import type { Grid } from "../wire/types";
import { entry, flow, placed } from "./page";

const KEY = 18;

export function curvesFigure(
  grid: Grid,
  { selection }: Shown,
  theme: Theme,
  width: number,
): Drawing {
  const axis = grid.axes[1];
  const pinned = axis?.selects ? selection[axis.selects] : null;
  const wide = chartWidth(width);
  const charts = chartsOf(grid, theme, pinned).map((chart): Scene => {
    const scene = chartScene(chart, theme, wide, CHART_HEIGHT);
    if (chart.series.length < 2) return scene;
    const keys = chart.series.map(({ label, colour, dash }) =>
      entry(
        {
          width: KEY,
          height: 2,
          marks: [
            {
              kind: "line",
              x1: 0,
              y1: 1,
              x2: KEY,
              y2: 1,
              stroke: colour,
              lineWidth: 2,
              ...(dash ? { dash } : {}),
            },
          ],
        },
        label,
        theme,
      ),
    );
    const legend = flow(keys, wide);
    const height = CHART_HEIGHT + legend.height;
    return {
      width: wide,
      height,
      marks: [placed(scene, 0, 0), placed(legend, 8, CHART_HEIGHT - 2)],
    };
  });
  const guide = grid.stretches.map(
    ({ label, rule }, i) => `${label} (${extentOf(grid, i)}): ${rule}`,
  );
  const band = rowsOf(grid).low < 0 ? "" : "Bands are 95 % intervals. ";
  return {
    title: grid.title,
    caption: `${band}${grid.provenance.normalisation} ${guide.join(" ")}`.trim(),
    drawings: [flow(charts, width), ...(guide.length ? [stretchScene(grid, theme, width)] : [])],
  };
}
