// Between the shared selection (layer, head, token ...) and the rows and columns of this heatmap.
import type { Cell } from "../../draw/hit";
import type { Axis, Selection } from "../../wire/types";
import type { Slice } from "./slice";

/** Rows and columns that the selection names, counted as drawn, and the one pinned cell. */
export interface Linked {
  rows: readonly number[];
  columns: readonly number[];
  cell: Cell | null;
}

/** The component that an index on an axis stands for, in a layer where the axis leaves that open. */
function componentAt(axis: Axis, index: number, layer: number | null): string | null {
  const name = axis.components?.[index] ?? null;
  if (layer !== null) return name?.replace("{layer}", `${layer}`) ?? null;
  return name?.includes("{layer}") ? null : name;
}

/** What choosing a cell, a row or a column (the other is then null) means for the selection. */
export function selectionOf(
  { rowAxis, columnAxis }: Slice,
  row: number | null,
  column: number | null,
): Partial<Selection> {
  const patch: Partial<Selection> = {
    ...(row === null ? {} : indexAt(rowAxis, row)),
    ...(column === null ? {} : indexAt(columnAxis, column)),
  };
  const layer = patch.layer ?? null;
  const component =
    (column === null ? null : componentAt(columnAxis, column, layer)) ??
    (row === null ? null : componentAt(rowAxis, row, layer));
  return component === null ? patch : { ...patch, component };
}

/** What choosing `index` on an axis means for the numbers of the selection. */
export function indexAt(axis: Axis, index: number): Partial<Selection> {
  if (!axis.selects) return {};
  return { [axis.selects]: axis.indices ? (axis.indices[index] ?? null) : index };
}

/** The patch that unpins what this heatmap can pin. */
export function cleared(slice: Slice): Partial<Selection> {
  const patch: Partial<Selection> = {};
  for (const { selects, components } of [slice.rowAxis, slice.columnAxis]) {
    if (selects) patch[selects] = null;
    if (components) patch.component = null;
  }
  return patch;
}

/** Those that are the selected component; where none is, those of its layer, or head, or token. */
function matching(axis: Axis, selection: Selection): number[] {
  const { component, layer } = selection;
  const named = axis.labels.flatMap((_, i) =>
    component && componentAt(axis, i, layer) === component ? [i] : [],
  );
  if (named.length > 0) return named;
  const wanted = axis.selects ? selection[axis.selects] : null;
  if (wanted === null) return [];
  const found: number[] = [];
  for (let i = 0; i < axis.labels.length; i++) {
    if ((axis.indices ? axis.indices[i] : i) === wanted) found.push(i);
  }
  return found;
}

/** `cell`, its row an index on the axis, is the one last pinned here. It stands while it agrees
 * with the selection; otherwise the selection was changed elsewhere, and the pinned cell is the
 * last one that the selection names: of a layer's read-outs, that after the layer. */
export function linkedOf(slice: Slice, selection: Selection, cell: Cell | null): Linked {
  const rows = matching(slice.rowAxis, selection);
  const columns = matching(slice.columnAxis, selection);
  const agrees = (axis: Axis, index: number, found: number[]): boolean => {
    const own = indexAt(axis, index);
    const names = Object.values(own).some((value) => value !== null);
    return found.includes(index) || (!names && found.length === 0);
  };
  const drawn = (row: number): number => slice.dataRow(row);
  const stands =
    cell && agrees(slice.rowAxis, cell.row, rows) && agrees(slice.columnAxis, cell.column, columns);
  const [row, column] = stands ? [cell.row, cell.column] : [rows.at(-1), columns.at(-1)];
  return {
    rows: rows.map(drawn),
    columns,
    cell: row === undefined || column === undefined ? null : { row: drawn(row), column },
  };
}
