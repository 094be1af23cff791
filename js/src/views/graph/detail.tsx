// The panel of the item that the keyboard or a click is on: label, group, links, exact values.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { formatNumber } from "../../draw/text";
import type { CircuitGraph } from "../../wire/types";
import type { ViewProps } from "../contract";
import { Button } from "../parts/controls";
import { ItemCard } from "./card";
import type { Picture } from "./groups";
import { EDGE_INPUTS } from "./names";
import type { Naming } from "./words";

interface DetailProps {
  view: ViewProps<CircuitGraph>;
  naming: Naming;
  picture: Picture;
  item: number;
  onGo(item: number): void;
  onLabel(name: string, label: string): void;
}

const MOST = 12;

export function Detail({ view, naming, picture, item, onGo, onLabel }: DetailProps) {
  const shown = picture.items[item];
  if (!shown) return null;
  const label = naming.labels[shown.key] ?? "";
  return (
    <section class="hs-graph-detail" aria-label="Selected node">
      <ItemCard
        naming={naming}
        picture={picture}
        item={item}
        most={MOST}
        onGo={onGo}
        action={(link) => <Exact view={view} naming={naming} picture={picture} link={link} />}
      />
      {shown.group < 0 && (
        <label class="hs-control hs-graph-label">
          <span class="hs-label">Label</span>
          <input
            class="hs-input"
            value={label}
            placeholder="your own name for it"
            onChange={(event) => onLabel(shown.key, event.currentTarget.value.trim())}
          />
        </label>
      )}
    </section>
  );
}

interface ExactProps {
  view: ViewProps<CircuitGraph>;
  naming: Naming;
  picture: Picture;
  link: number;
}

/** An edge's true value, by patching it alone; only where a link is one edge. */
function Exact({ view, naming, picture, link }: ExactProps): JSX.Element | null {
  const { graph } = naming;
  const edge = picture.edge[link] ?? 0;
  const known = graph.result.measures.find(({ name }) => name === "exact")?.values.data[edge];
  const [state, setState] = useState<{ value?: number; problem?: string; asked?: boolean }>({});
  useEffect(() => setState({}), [edge, view.resultId]);
  const ends = [picture.source[link], picture.target[link]].map((end) => picture.items[end ?? 0]);
  if (ends.some((end) => !end || end.group >= 0)) return null;
  const value = state.value ?? known;
  if (value !== undefined && !Number.isNaN(value)) {
    return <span title="Measured by patching this edge alone">exact {formatNumber(value)}</span>;
  }
  const offered = view.live && view.asks.includes("edge");
  const measure = async (): Promise<void> => {
    setState({ asked: true });
    try {
      const answer = await view.ask("edge", {
        source: ends[0]?.key,
        target: ends[1]?.key,
        input: EDGE_INPUTS[graph.result.edges.input.data[edge] ?? 0] ?? "",
      });
      setState({ value: Number((answer.value as { exact?: unknown }).exact) });
    } catch (failure) {
      setState({ problem: failure instanceof Error ? failure.message : String(failure) });
    }
  };
  return (
    <>
      <Button
        label="Patch it exactly"
        title={offered ? "Run the model with this edge alone patched" : "Needs a live kernel"}
        disabled={!offered || state.asked === true}
        onClick={() => void measure()}
      />
      {state.problem && <span class="hs-refused">{state.problem}</span>}
    </>
  );
}
