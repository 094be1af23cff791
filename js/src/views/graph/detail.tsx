// The panel of the item that the keyboard or a click is on: label, links, what it stands for.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Theme } from "../../draw/colour";
import { useAnswer } from "../lens/ask";
import { Toggle } from "../parts/controls";
import { type Asking, isOffered, Problem } from "./ask";
import { ItemCard } from "./card";
import { Exact } from "./exact";
import { type Feature, FeaturePanel } from "./feature";
import type { Picture } from "./groups";
import { type Ends, HeadsButton, HeadsPanel } from "./heads";
import type { Naming } from "./words";

interface DetailProps {
  asking: Asking;
  naming: Naming;
  picture: Picture;
  item: number;
  theme: Theme;
  /** Whether features are looked into. */
  looking: boolean;
  onLook(looking: boolean): void;
  onGo(item: number): void;
  onLabel(name: string, label: string): void;
}

const MOST = 12;

export function Detail(props: DetailProps): JSX.Element | null {
  const { asking, naming, picture, item, theme, looking, onLook, onGo, onLabel } = props;
  const { graph } = naming;
  const shown = picture.items[item];
  const name = shown?.key ?? "";
  const kind = shown?.group === -1 ? graph.kinds[shown.node] : undefined;
  const inAttribution = graph.result.family === "attribution";
  const isUnit = inAttribution && (kind === "feature" || kind === "neuron");
  const offered = isOffered(asking, "feature");
  const isAsked = isUnit && offered && looking;
  const { answer, problem } = useAnswer<Feature>(
    asking,
    isAsked
      ? { what: "feature", params: { node: name }, key: `${asking.subject} feature ${name}` }
      : null,
  );
  const [edge, setEdge] = useState<Ends | null>(null);
  useEffect(() => setEdge(null), [name, asking.subject]);
  if (!shown) return null;

  const action = (link: number): JSX.Element | null => {
    const [source, target] = [picture.source[link], picture.target[link]].map(
      (end) => picture.items[end ?? 0],
    );
    if (source?.group !== -1 || target?.group !== -1) return null;
    if (!inAttribution) {
      return <Exact asking={asking} naming={naming} picture={picture} link={link} />;
    }
    const ends = { source: source.key, target: target.key };
    const isShown = edge?.source === ends.source && edge.target === ends.target;
    return <HeadsButton asking={asking} ends={ends} shown={isShown} onShow={setEdge} />;
  };
  return (
    <article class="hs-graph-detail" aria-label="Selected node">
      <ItemCard
        naming={naming}
        picture={picture}
        item={item}
        most={MOST}
        onGo={onGo}
        action={action}
      >
        {shown.group < 0 && (
          <div class="hs-row hs-graph-wide">
            <label class="hs-control">
              <span class="hs-label">Label</span>
              <input
                class="hs-input"
                value={naming.labels[name] ?? ""}
                placeholder={answer?.suggested_label || "your own name for it"}
                onChange={(event) => onLabel(name, event.currentTarget.value.trim())}
              />
            </label>
            {isUnit && (
              <Toggle
                label="Examples and tokens"
                title={
                  offered
                    ? "Where the unit is active, and which tokens it promotes: a forward pass per text, once"
                    : "Needs a live kernel"
                }
                checked={offered && looking}
                disabled={!offered}
                onChange={onLook}
              />
            )}
            {isAsked && !answer && !problem && <span class="hs-muted">Running the texts…</span>}
          </div>
        )}
        {isAsked && <Problem text={problem} />}
        {isAsked && answer && <FeaturePanel feature={answer} theme={theme} />}
      </ItemCard>
      {edge && <HeadsPanel asking={asking} graph={graph} ends={edge} />}
    </article>
  );
}
