// The view of a `CircuitGraph`: circuits of components, attribution graphs.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { CircuitGraph } from "../wire/types";
import type { ViewProps } from "./contract";
import { EdgeList } from "./graph/list";

export { default as graphCss } from "./graph/graph.css?inline";

export function GraphView({ result: graph }: ViewProps<CircuitGraph>): JSX.Element {
  const kept = useMemo(
    () => [...graph.edges.kept.data.keys()].filter((edge) => graph.edges.kept.data[edge] === 1),
    [graph],
  );
  return <EdgeList graph={graph} kept={kept} />;
}
