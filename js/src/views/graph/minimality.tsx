// What a circuit loses without each of its edges, once that was run.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { formatNumber } from "../../draw/text";
import { type Asking, DemandButton, Problem, useDemand } from "./ask";
import type { Graph } from "./model";
import { EDGE_INPUTS } from "./names";
import type { Pruned, Threshold } from "./prune";

interface MinimalityProps {
  asking: Asking;
  graph: Graph;
  circuit: Pruned;
  threshold: Threshold;
  onGo(name: string): void;
}

export function MinimalityPanel(props: MinimalityProps): JSX.Element {
  const { asking, graph, circuit, threshold, onGo } = props;
  const demand = useDemand(asking, "minimality", { threshold });
  const measure = graph.result.measures.find(({ name }) => name === "loss");
  const losses = measure?.values.data;
  const edges = useMemo(() => {
    const loss = (edge: number): number => losses?.[edge] ?? Number.NaN;
    const known = [...graph.source.keys()].filter((edge) => !Number.isNaN(loss(edge)));
    return known.sort((a, b) => loss(b) - loss(a));
  }, [graph, losses]);
  const isOfThis = edges.length === circuit.edgeCount && edges.every((edge) => circuit.edges[edge]);
  return (
    <article class="hs-graph-panel" aria-label="Minimality">
      {!(losses && isOfThis) && (
        <DemandButton
          label="Minimality"
          help="Run the circuit without each of its edges in turn: a forward pass per edge"
          demand={demand}
        />
      )}
      <Problem text={demand.problem} />
      {losses && (
        <>
          <p class="hs-muted" title={measure?.definition}>
            Loss without each edge{!isOfThis && `, of another circuit, of ${edges.length} edges`}
          </p>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable */}
          <article class="hs-graph-scroll" tabIndex={0} aria-label="Losses, table">
            <table class="hs-table">
              <thead>
                <tr>
                  <th scope="col">From</th>
                  <th scope="col">To</th>
                  <th scope="col" title="Near 0: the edge need not be there">
                    Loss without it
                  </th>
                </tr>
              </thead>
              <tbody>
                {edges.map((edge) => (
                  <tr key={edge}>
                    {[graph.source, graph.target].map((ends, at) => {
                      const name = graph.names[ends[edge] ?? 0] ?? "";
                      const input = EDGE_INPUTS[graph.result.edges.input.data[edge] ?? 0];
                      return (
                        <td key={name}>
                          <button type="button" class="hs-graph-link" onClick={() => onGo(name)}>
                            {name}
                          </button>
                          {at > 0 && input && ` (${input})`}
                        </td>
                      );
                    })}
                    <td class="hs-graph-number">{formatNumber(losses[edge] ?? Number.NaN)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </article>
        </>
      )}
    </article>
  );
}
