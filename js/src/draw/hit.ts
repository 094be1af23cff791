// From a pointer to what lies under it.
import type { Box } from "./scene";

/** Equal cells filling `box` from its top left corner, scrolled by (`scrollX`, `scrollY`). */
export interface CellGrid {
  box: Box;
  cellWidth: number;
  cellHeight: number;
  rows: number;
  columns: number;
  scrollX: number;
  scrollY: number;
}

export interface Cell {
  row: number;
  column: number;
}

export const inside = (box: Box, x: number, y: number): boolean =>
  x >= box.x && y >= box.y && x < box.x + box.width && y < box.y + box.height;

/** The cell under (x, y), or null outside the cells. */
export function cellAt(grid: CellGrid, x: number, y: number): Cell | null {
  if (!inside(grid.box, x, y)) return null;
  const column = Math.floor((x - grid.box.x + grid.scrollX) / grid.cellWidth);
  const row = Math.floor((y - grid.box.y + grid.scrollY) / grid.cellHeight);
  if (row < 0 || column < 0 || row >= grid.rows || column >= grid.columns) return null;
  return { row, column };
}

/** Where a cell is, scrolled; it may lie partly or wholly outside `grid.box`. */
export function cellBox(grid: CellGrid, { row, column }: Cell): Box {
  return {
    x: grid.box.x + column * grid.cellWidth - grid.scrollX,
    y: grid.box.y + row * grid.cellHeight - grid.scrollY,
    width: grid.cellWidth,
    height: grid.cellHeight,
  };
}
