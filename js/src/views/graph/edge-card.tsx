// What one link is: its ends, what was estimated and measured of it, and the panel to ask for more.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { formatNumber } from "../../draw/text";
import { tokenGlyphs } from "../../state/tokens";
import { Button } from "../parts/controls";
import type { Asking } from "./ask";
import { Exact } from "./exact";
import type { Picture } from "./groups";
import { HeadsButton, HeadsPanel } from "./heads";
import { linkInput, type Naming, PRUNED, percent, shortLabel, signed } from "./words";

interface EdgeProps {
  naming: Naming;
  picture: Picture;
  link: number;
}

/** For the tooltip, and at the head of the panel, where its ends are buttons. */
export function EdgeCard(props: EdgeProps & { onGo?: (item: number) => void }): JSX.Element {
  const { naming, picture, link, onGo } = props;
  const [source, target] = [picture.source[link] ?? 0, picture.target[link] ?? 0];
  const input = linkInput(naming.graph, picture, link);
  const count = picture.edgeCount[link] ?? 1;
  return (
    <>
      <div class="hs-graph-head">
        <End {...props} item={source} onGo={onGo} />
        <span>→</span>
        <End {...props} item={target} onGo={onGo} />
        {input && <span>({input})</span>}
        {count > 1 && <span class="hs-muted">{count} edges</span>}
        {picture.outside[link] === 1 && <span class="hs-muted">{PRUNED}</span>}
      </div>
      <p class="hs-graph-facts">
        {factsOf(props).map(({ title, value, definition }) => (
          <span key={title} title={definition}>
            <span class="hs-muted">{title}</span> {value}
          </span>
        ))}
        <span>
          <span class="hs-muted">Share of the target's inflow</span>{" "}
          {percent(picture.share[link] ?? 0)}
        </span>
      </p>
    </>
  );
}

interface EndProps extends EdgeProps {
  item: number;
  onGo: ((item: number) => void) | undefined;
}

function End({ naming, picture, item: at, onGo }: EndProps): JSX.Element | null {
  const item = picture.items[at];
  if (!item) return null;
  const name = item.group < 0 ? item.key : shortLabel(naming, item);
  const label = shortLabel(naming, item);
  const said = item.group < 0 && !item.key.startsWith(label) ? label : "";
  return (
    <strong>
      {onGo ? (
        <button type="button" class="hs-graph-link" onClick={() => onGo(at)}>
          {name}
        </button>
      ) : (
        name
      )}
      {said && <span class="hs-token">{tokenGlyphs(said, 40)}</span>}
    </strong>
  );
}

/** The sum of several edges, or all that is known of one. */
function factsOf({ naming, picture, link }: EdgeProps) {
  const { measures } = naming.graph.result;
  const [first] = measures;
  if ((picture.edgeCount[link] ?? 1) > 1) {
    const value = `${signed(picture.weight[link] ?? 0)} ${first?.unit ?? ""}`;
    return [{ title: `${first?.title}, summed`, value, definition: first?.definition }];
  }
  return measures.flatMap(({ title, unit, definition, values }) => {
    const value = values.data[picture.edge[link] ?? 0] ?? Number.NaN;
    if (Number.isNaN(value)) return [];
    return [{ title, value: `${value > 0 ? "+" : ""}${formatNumber(value)} ${unit}`, definition }];
  });
}

interface EdgeDetailProps extends EdgeProps {
  asking: Asking;
  onGo(item: number): void;
  onClose(): void;
}

export function EdgeDetail(props: EdgeDetailProps): JSX.Element {
  const { asking, naming, picture, link, onGo, onClose } = props;
  const [source, target] = [picture.source, picture.target].map(
    (ends) => picture.items[ends[link] ?? 0],
  );
  const [byHeads, setByHeads] = useState(false);
  const ends = { source: source?.key ?? "", target: target?.key ?? "" };
  const subject = `${ends.source} ${ends.target} ${asking.subject}`;
  useEffect(() => setByHeads(false), [subject]);
  const isPlain = source?.group === -1 && target?.group === -1;
  const isCircuit = naming.graph.result.family === "components";
  return (
    <article class="hs-graph-detail" aria-label="Selected edge">
      <EdgeCard naming={naming} picture={picture} link={link} onGo={onGo} />
      <div class="hs-row hs-graph-wide">
        {isPlain && isCircuit && (
          <Exact asking={asking} naming={naming} picture={picture} link={link} />
        )}
        {isPlain && !isCircuit && (
          <HeadsButton
            asking={asking}
            ends={ends}
            shown={byHeads}
            onShow={(shown) => setByHeads(shown !== null)}
          />
        )}
        <Button label="Close" title="Leave the edge" onClick={onClose} />
      </div>
      {byHeads && <HeadsPanel asking={asking} graph={naming.graph} ends={ends} />}
    </article>
  );
}
