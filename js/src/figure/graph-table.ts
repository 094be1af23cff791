// The shown edges, a row for each; "kept" is whether the circuit has it.

import type { Shown, Table } from "../views/exports";
import { EDGE_INPUTS } from "../views/graph/names";
import type { CircuitGraph } from "../wire/types";
import { shownGraph } from "./graph-shown";

export function graphTable(result: CircuitGraph, state: Shown): Table {
  const { graph, circuit, shown } = shownGraph(result, state);
  const { source, target, input } = result.edges;
  const name = (node: number | undefined): string => graph.names[node ?? -1] ?? "";
  const rows = [...shown.edges.keys()]
    .filter((edge) => shown.edges[edge])
    .map((edge) => [
      name(source.data[edge]),
      name(target.data[edge]),
      EDGE_INPUTS[input.data[edge] ?? 0] ?? "",
      circuit.edges[edge] === 1,
      ...result.measures.map(({ values }) => values.data[edge] ?? Number.NaN),
    ]);
  return [["source", "target", "input", "kept", ...result.measures.map((m) => m.name)], ...rows];
}
