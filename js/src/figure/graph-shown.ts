// What of a graph is shown under its marks.

import type { Shown } from "../views/exports";
import { makePicture } from "../views/graph/groups";
import { marksHere, readMarks } from "../views/graph/marks";
import { readGraph } from "../views/graph/model";
import { makePruner, onlyNodes, withPinned } from "../views/graph/prune";
import type { CircuitGraph } from "../wire/types";

export function shownGraph(result: CircuitGraph, { view, marks: given }: Shown) {
  const graph = readGraph(result);
  const marks = marksHere(readMarks(given, result), graph);
  const circuit = makePruner(graph).prune(marks.threshold);
  const pinned = new Set(marks.pinned);
  const kept = withPinned(graph, circuit, pinned);
  const only = view.graph_only_pinned === true && pinned.size > 0;
  const shown = only ? onlyNodes(graph, kept, pinned) : kept;
  const picture = makePicture(graph, shown, marks.groups, new Set(), circuit);
  return { graph, marks, circuit, shown, picture };
}
