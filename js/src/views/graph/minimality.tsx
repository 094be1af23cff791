// What the circuit loses without each of its edges.
import type { JSX } from "preact";
import { formatNumber } from "../../draw/text";
import { type Asking, DemandButton, Problem, useDemand } from "./ask";
import type { Threshold } from "./prune";

interface Loss {
  source: string;
  target: string;
  input: string;
  loss: number;
}

interface MinimalityProps {
  asking: Asking;
  threshold: Threshold;
  onGo(name: string): void;
}

export function MinimalityPanel({ asking, threshold, onGo }: MinimalityProps): JSX.Element {
  const demand = useDemand<{ edges: Loss[] }>(asking, "minimality", { threshold });
  const edges = demand.answer?.edges;
  return (
    <article class="hs-graph-panel" aria-label="Minimality">
      <DemandButton
        label="Minimality"
        help="Run the circuit without each of its edges in turn: a forward pass per edge"
        demand={demand}
      />
      <Problem text={demand.problem} />
      {edges && (
        /* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable */
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
              {edges.map(({ source, target, input, loss }) => (
                <tr key={`${source} ${target} ${input}`}>
                  {[source, target].map((name) => (
                    <td key={name}>
                      <button type="button" class="hs-graph-link" onClick={() => onGo(name)}>
                        {name}
                      </button>
                      {name === target && input && ` (${input})`}
                    </td>
                  ))}
                  <td class="hs-graph-number">{formatNumber(loss)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </article>
      )}
    </article>
  );
}
