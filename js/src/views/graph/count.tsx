// How much of all is shown, what of it is not the circuit's, and what the graph is worth as a whole.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { formatNumber } from "../../draw/text";
import type { Graph } from "./model";
import { both, type Pruned } from "./prune";

interface CountProps {
  graph: Graph;
  shown: Pruned;
  /** Without what is there for pinned nodes only. */
  circuit: Pruned;
  links: number;
  drawn: number;
  /** Marks of nodes that another graph has. */
  elsewhere: number;
}

const plural = (n: number, noun: string): string =>
  `${formatNumber(n)} ${noun}${n === 1 ? "" : "s"}`;

export function Count(props: CountProps): JSX.Element {
  const { graph, shown, circuit, links, drawn, elsewhere } = props;
  const { result } = graph;
  const all = Math.max(result.edges_in_all, graph.edges);
  const own = useMemo(() => both(shown, circuit), [shown, circuit]);
  const [nodes, edges] = [shown.nodeCount - own.nodeCount, shown.edgeCount - own.edgeCount];
  const beside = [nodes && plural(nodes, "node"), edges && plural(edges, "edge")].filter(Boolean);
  return (
    <p class="hs-graph-count hs-muted" role="status">
      Showing {formatNumber(own.nodeCount)} of{" "}
      {formatNumber(Math.max(result.nodes_in_all, graph.nodes))} nodes,{" "}
      {formatNumber(own.edgeCount)} of {formatNumber(all)} edges
      {all > graph.edges && ` (${formatNumber(graph.edges)} were sent)`}
      {beside.length > 0 && `, and for what is pinned ${beside.join(" and ")} outside of that`}
      {drawn < links && `; the strongest ${formatNumber(drawn)} are drawn`}.
      {result.family === "attribution" &&
        result.scores.map(({ label, value }) => ` ${label} ${formatNumber(value)}.`)}
      {elsewhere > 0 &&
        ` ${plural(elsewhere, "mark")} ${elsewhere === 1 ? "belongs" : "belong"} to another graph.`}
    </p>
  );
}
