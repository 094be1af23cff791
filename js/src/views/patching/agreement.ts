// How well the gradient's estimates foretell the exact effects.
import type { Cell } from "../../draw/hit";
import type { Slice } from "../heatmap/slice";
import { EXACT } from "../heatmap/states";

/** A cell of which both are known. */
export interface Point extends Cell {
  estimate: number;
  exact: number;
}

export function pointsOf(slice: Slice): Point[] {
  const [effect, estimate] = ["effect", "estimate"].map((name) =>
    slice.grid.measures.find((measure) => measure.name === name),
  );
  if (!effect || !estimate) return [];
  const points: Point[] = [];
  for (let row = 0; row < slice.rows; row++) {
    for (let column = 0; column < slice.columns; column++) {
      if (slice.state(row, column, effect) !== EXACT) continue;
      const point = {
        row,
        column,
        estimate: slice.value(row, column, estimate),
        exact: slice.value(row, column, effect),
      };
      if (Number.isFinite(point.estimate)) points.push(point);
    }
  }
  return points;
}

/** Pearson's; NaN where one side does not vary. */
export function correlation(points: readonly Point[]): number {
  const mean = (of: "estimate" | "exact"): number =>
    points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [x, y] = [mean("estimate"), mean("exact")];
  let [xx, xy, yy] = [0, 0, 0];
  for (const { estimate, exact } of points) {
    xx += (estimate - x) ** 2;
    xy += (estimate - x) * (exact - y);
    yy += (exact - y) ** 2;
  }
  return xy / Math.sqrt(xx * yy);
}

/** The largest disagreements, the worst first. */
export function worst(points: readonly Point[], count: number): Point[] {
  const off = ({ estimate, exact }: Point): number => Math.abs(estimate - exact);
  return [...points].sort((p, q) => off(q) - off(p)).slice(0, count);
}
