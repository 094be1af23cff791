// Where a key moves the cell cursor.
import type { Cell } from "../../draw/hit";

interface Size {
  rows: number;
  columns: number;
}

/** The cell that `key` leads to from `cell`, or null where the key is not one of movement. With
 * Ctrl, Home and End go to the corners. `page`: rows in sight. */
export function moved(
  { row, column }: Cell,
  { key, ctrlKey }: { key: string; ctrlKey: boolean },
  { rows, columns }: Size,
  page: number,
): Cell | null {
  const at = (r: number, c: number): Cell => ({
    row: Math.min(rows - 1, Math.max(0, r)),
    column: Math.min(columns - 1, Math.max(0, c)),
  });
  switch (key) {
    case "ArrowUp":
      return at(row - 1, column);
    case "ArrowDown":
      return at(row + 1, column);
    case "ArrowLeft":
      return at(row, column - 1);
    case "ArrowRight":
      return at(row, column + 1);
    case "PageUp":
      return at(row - page, column);
    case "PageDown":
      return at(row + page, column);
    case "Home":
      return at(ctrlKey ? 0 : row, 0);
    case "End":
      return at(ctrlKey ? rows - 1 : row, columns - 1);
    default:
      return null;
  }
}
