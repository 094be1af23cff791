// The sources of the pinned dest token: exact once the kernel has answered.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { formatNumber } from "../../draw/text";
import type { Patterns } from "../../wire/types";
import { type HeadRef, heldHead } from "./heads";
import { tokenValues } from "./matrix";
import type { PanelData } from "./panel-data";
import { sourceRows } from "./row";
import type { Slice } from "./slices";
import { SourceTable } from "./source-table";
import { srcFactor, type Weighting, weightingInfo } from "./weighting";

export function PinnedRow(props: {
  result: Patterns;
  head: HeadRef;
  dest: number;
  src: number | null;
  weighting: Weighting;
  /** The head by its plain weights, and weighted. */
  plain: PanelData;
  data: PanelData;
  exact: Slice;
  announce(text: string): void;
}): JSX.Element | null {
  const { result, head, dest, weighting, plain, data, exact } = props;
  const tokens = result.provenance.prompts[0]?.tokens ?? [];
  const exactRow = exact.state === "ready" ? exact.values : null;
  const [bare, weighed] = [plain, data].map((one) => (one.state === "ready" ? one.matrix : null));
  const { layer, head: index } = head;
  const rows = useMemo(() => {
    const attention = exactRow ?? (bare && tokenValues(bare, dest, "src"));
    if (!attention) return null;
    const factor = srcFactor(result, weighting, { layer, head: index });
    const exactly = exactRow?.map((value, src) => value * (factor?.[src] ?? 1));
    const values = exactly ?? (weighed && tokenValues(weighed, dest, "src")) ?? attention;
    return sourceRows(attention, values, tokens, dest, result.causal);
  }, [result, layer, index, weighting, dest, exactRow, bare, weighed]);
  if (!rows) return null;
  const bound = heldHead(result, head)?.weights.bound;
  return (
    <SourceTable
      head={head}
      dest={dest}
      src={props.src}
      tokens={tokens}
      rows={rows}
      precision={exactRow ? "float32" : bound ? `within ${formatNumber(bound)}` : "float16"}
      weighted={weighting === "attention" ? null : weightingInfo(result, weighting).label}
      announce={props.announce}
    />
  );
}
