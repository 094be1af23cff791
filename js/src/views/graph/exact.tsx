// An edge's true value, by patching it alone; only where a link is one edge.
import type { JSX } from "preact";
import { formatNumber } from "../../draw/text";
import { type Asking, DemandButton, Problem, useDemand } from "./ask";
import type { Picture } from "./groups";
import { EDGE_INPUTS } from "./names";
import type { Naming } from "./words";

interface ExactProps {
  asking: Asking;
  naming: Naming;
  picture: Picture;
  link: number;
}

export function Exact({ asking, naming, picture, link }: ExactProps): JSX.Element | null {
  const { result } = naming.graph;
  const edge = picture.edge[link] ?? 0;
  const ends = [picture.source[link], picture.target[link]].map((end) => picture.items[end ?? 0]);
  const demand = useDemand<{ exact: number }>(asking, "edge", {
    source: ends[0]?.key,
    target: ends[1]?.key,
    input: EDGE_INPUTS[result.edges.input.data[edge] ?? 0] ?? "",
  });
  if (ends.some((end) => !end || end.group >= 0)) return null;
  const known = result.measures.find(({ name }) => name === "exact")?.values.data[edge];
  const value = demand.answer?.exact ?? known ?? Number.NaN;
  if (!Number.isNaN(value)) {
    return <span title="Measured by patching this edge alone">exact {formatNumber(value)}</span>;
  }
  return (
    <>
      <DemandButton
        label="Patch it exactly"
        help="Run the model with this edge alone patched"
        demand={demand}
      />
      <Problem text={demand.problem} />
    </>
  );
}
