// Which attention heads carry an edge, and why one of them attends there.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useAnswer } from "../lens/ask";
import { Button } from "../parts/controls";
import { type Asking, isOffered, Problem } from "./ask";
import type { Graph } from "./model";
import { type Attended, QkPanel } from "./qk";
import { largest, percent, signed } from "./words";

/** Names of the nodes that an edge leads from and to. */
export interface Ends {
  source: string;
  target: string;
}

interface HeadsAnswer {
  heads: { layer: number; head: number; share: number; value: number }[];
  note: string;
}

const MOST = 12;

interface HeadsProps {
  asking: Asking;
  graph: Graph;
  ends: Ends;
}

export function HeadsPanel({ asking, graph, ends }: HeadsProps): JSX.Element {
  const key = `${asking.subject} heads ${JSON.stringify(ends)}`;
  const { answer, problem } = useAnswer<HeadsAnswer>(asking, {
    what: "heads",
    params: { ...ends },
    key,
  });
  const [shown, setShown] = useState<Attended | null>(null);
  useEffect(() => setShown(null), [key]);
  const at = (name: string): number => graph.position[graph.index.get(name) ?? -1] ?? -1;
  const place = { dest: at(ends.target), src: at(ends.source) };
  const offered = isOffered(asking, "qk");
  return (
    <article class="hs-graph-panel hs-graph-wide" aria-label="Heads that carry the edge">
      <h3>
        {ends.source} → {ends.target}, by heads
      </h3>
      <Problem text={problem} />
      {!answer && !problem && <p class="hs-muted">…</p>}
      {answer && <p class="hs-muted">{answer.note}</p>}
      <div class="hs-graph-panels">
        {answer && answer.heads.length > 0 && (
          <table class="hs-table">
            <thead>
              <tr>
                <th scope="col">Head</th>
                <th scope="col">Carries</th>
                <th scope="col">Share</th>
                <td />
              </tr>
            </thead>
            <tbody>
              {largest(answer.heads, MOST).map(({ layer, head, value, share }) => (
                <tr key={`${layer} ${head}`}>
                  <th scope="row">
                    L{layer}H{head}
                  </th>
                  <td class="hs-graph-number">{signed(value)}</td>
                  <td class="hs-graph-number">{percent(share)}</td>
                  <td>
                    <Button
                      label={`QK of L${layer}H${head}`}
                      title={offered ? "Why it attends there" : "Needs a live kernel"}
                      pressed={shown?.layer === layer && shown.head === head}
                      disabled={!offered}
                      onClick={() => setShown({ layer, head, ...place })}
                    >
                      QK
                    </Button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        {answer && shown && <QkPanel asking={asking} of={shown} />}
      </div>
    </article>
  );
}

interface HeadsButtonProps {
  asking: Asking;
  ends: Ends;
  shown: boolean;
  onShow(ends: Ends): void;
}

export function HeadsButton({ asking, ends, shown, onShow }: HeadsButtonProps): JSX.Element {
  const offered = isOffered(asking, "heads");
  return (
    <Button
      label={`Heads of ${ends.source} → ${ends.target}`}
      title={offered ? "Which attention heads carry this edge" : "Needs a live kernel"}
      pressed={shown}
      disabled={!offered}
      onClick={() => onShow(ends)}
    >
      Heads
    </Button>
  );
}
