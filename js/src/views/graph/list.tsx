// The kept edges as a table, strongest first: for reading without the picture.
import type { JSX } from "preact";
import { formatNumber } from "../../draw/text";
import { tokenGlyphs } from "../../state/tokens";
import type { CircuitGraph } from "../../wire/types";
import { EDGE_INPUTS, nodeName } from "./names";
import { PRUNED } from "./words";

/** A page holds so many rows without stalling. */
const MAX_ROWS = 500;

/** The node's name, and what it stands for. */
export function NodeLabel({ graph, node }: { graph: CircuitGraph; node: number }): JSX.Element {
  const name = nodeName(graph, node);
  const at = graph.nodes.position.data[node] ?? -1;
  const token = graph.provenance.prompts[0]?.tokens[at];
  const text = graph.texts[name] ?? token;
  return (
    <>
      {name}
      {text !== undefined && <span class="hs-token">{tokenGlyphs(text)}</span>}
    </>
  );
}

interface EdgeListProps {
  graph: CircuitGraph;
  kept: readonly number[];
  /** 1 for the edges of the circuit. */
  circuit: Uint8Array;
}

export function EdgeList({ graph, kept, circuit }: EdgeListProps): JSX.Element {
  const [first] = graph.measures;
  const size = (edge: number): number => Math.abs(first?.values.data[edge] ?? 0);
  const rows = [...kept].sort((a, b) => size(b) - size(a)).slice(0, MAX_ROWS);
  const { source, target, input } = graph.edges;
  return (
    <>
      {rows.length < kept.length && (
        <p class="hs-muted">
          The strongest {rows.length} of {kept.length} edges.
        </p>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable */}
      <article class="hs-graph-table" tabIndex={0} aria-label="Edges, table">
        <table class="hs-table">
          <thead>
            <tr>
              <th scope="col">From</th>
              <th scope="col">To</th>
              {graph.measures.map((measure) => (
                <th scope="col" key={measure.name} title={measure.definition}>
                  {measure.title}, {measure.unit}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((edge) => (
              <tr key={edge}>
                <th scope="row">
                  <NodeLabel graph={graph} node={source.data[edge] ?? 0} />
                </th>
                <td>
                  <NodeLabel graph={graph} node={target.data[edge] ?? 0} />
                  {EDGE_INPUTS[input.data[edge] ?? 0]}
                  {!circuit[edge] && <span class="hs-muted"> {PRUNED}</span>}
                </td>
                {graph.measures.map((measure) => (
                  <td key={measure.name}>
                    {formatNumber(measure.values.data[edge] ?? Number.NaN)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </article>
    </>
  );
}
