// Which circuits of a result were run: what is asked for at a threshold, and what is known there.
import type { CircuitGraph, FaithfulnessPoint } from "../../wire/types";
import type { Threshold } from "./prune";

/** How the best edges are ranked. */
export const ranking = ({ pruning }: CircuitGraph): FaithfulnessPoint["by"] =>
  pruning.signed ? "score" : "magnitude";

/** Whether the circuit as computed is that of the best edges. */
export const isOfBest = ({ pruning: { rule } }: CircuitGraph): boolean =>
  rule === "top_n" || rule === "threshold" || rule === "all";

/** The circuit of a threshold, where it was run. */
export function pointAt(result: CircuitGraph, { edges }: Threshold): FaithfulnessPoint | undefined {
  const by = edges === undefined ? "rule" : ranking(result);
  return result.faithfulness.find(
    (point) => point.by === by && point.requested === (edges ?? point.requested),
  );
}

/** The circuits of the best edges that were run, smallest first. */
export function curveOf(result: CircuitGraph): FaithfulnessPoint[] {
  const by = ranking(result);
  const points = new Map<number, FaithfulnessPoint>();
  for (const point of result.faithfulness) {
    if (point.by === by || (point.by === "rule" && isOfBest(result)))
      points.set(point.requested, point);
  }
  return [...points.values()].sort((a, b) => a.requested - b.requested);
}
