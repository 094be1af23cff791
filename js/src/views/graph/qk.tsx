// Why a head attends from one position to another: its score, by what its query and its key read.
import type { JSX } from "preact";
import { formatNumber } from "../../draw/text";
import { useAnswer } from "../lens/ask";
import { type Asking, Problem } from "./ask";
import { largest, signed } from "./words";

interface Part {
  name: string;
  value: number;
}

interface QkAnswer {
  score: number;
  query: Part[];
  key: Part[];
  pairs: { query: string; key: string; value: number }[];
  note: string;
}

export interface Attended {
  layer: number;
  head: number;
  dest: number;
  src: number;
}

const MOST = 8;

export function QkPanel({ asking, of }: { asking: Asking; of: Attended }): JSX.Element {
  const { layer, head, dest, src } = of;
  const key = `${asking.subject} qk ${JSON.stringify(of)}`;
  const { answer, problem } = useAnswer<QkAnswer>(asking, {
    what: "qk",
    params: { layer, head, dest, src },
    key,
  });
  const pairs = (answer?.pairs ?? []).map(({ query, key, value }) => ({
    name: `${query} · ${key}`,
    value,
  }));
  return (
    <article class="hs-graph-panel" aria-label="Attention score">
      <h3>
        L{layer}H{head} attends from {dest} to {src}
        {answer && `: score ${formatNumber(answer.score)}`}
      </h3>
      <Problem text={problem} />
      {!answer && !problem && <p class="hs-muted">…</p>}
      {answer && (
        <>
          <p class="hs-muted">{answer.note}</p>
          <div class="hs-graph-panels">
            <Parts title="Query" parts={answer.query} />
            <Parts title="Key" parts={answer.key} />
            <Parts title="Query · key" parts={pairs} />
          </div>
        </>
      )}
    </article>
  );
}

function Parts({ title, parts }: { title: string; parts: readonly Part[] }): JSX.Element {
  return (
    <table class="hs-table">
      <thead>
        <tr>
          <th scope="col">{title}</th>
          <td />
        </tr>
      </thead>
      <tbody>
        {largest(parts, MOST).map(({ name, value }) => (
          <tr key={name}>
            <td>{name}</td>
            <td class="hs-graph-number">{signed(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
