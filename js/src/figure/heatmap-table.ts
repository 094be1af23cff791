// The shown slice of a grid, all of its measures, a row for each cell.

import type { Shown, Table } from "../views/exports";
import { readOptions } from "../views/heatmap/options";
import { sliceOf } from "../views/heatmap/slice";
import { STATES } from "../views/heatmap/states";
import type { Axis, Grid } from "../wire/types";

export function heatmapTable(grid: Grid, { view }: Shown): Table {
  const { measure, chosen } = readOptions(view, grid);
  const slice = sliceOf(grid, { measure, chosen, upward: false });
  const { estimates, rows, columns } = slice;
  const at = (axis: Axis, index: number) => [index, axis.labels[index] ?? ""];
  const before = grid.axes.slice(0, -2).flatMap((axis, i) => at(axis, chosen[i] ?? 0));
  const head = [
    ...grid.axes.flatMap(({ name }) => [name, `${name}_label`]),
    ...grid.measures.map(({ name }) => name),
    ...(estimates ? ["state"] : []),
    ...(grid.top ? ["top_token"] : []),
  ];
  const row = (r: number, c: number) => [
    ...before,
    ...at(slice.rowAxis, r),
    ...at(slice.columnAxis, c),
    ...grid.measures.map((one) => slice.value(r, c, one)),
    ...(estimates ? [STATES[slice.state(r, c) ?? -1] ?? ""] : []),
    ...(grid.top ? [slice.topText(r, c)] : []),
  ];
  const all = Array.from({ length: rows * columns }, (_, i) =>
    row(Math.floor(i / columns), i % columns),
  );
  return [head, ...all];
}
