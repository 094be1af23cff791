// The sources of the pinned dest token: exact once the kernel has answered.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { formatNumber } from "../../draw/text";
import type { Patterns } from "../../wire/types";
import { type HeadRef, heldHead } from "./heads";
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
  data: PanelData;
  exact: Slice;
  announce(text: string): void;
}): JSX.Element | null {
  const { result, head, dest, weighting, data, exact } = props;
  const tokens = result.provenance.prompts[0]?.tokens ?? [];
  const exactRow = exact.state === "ready" ? exact.values : null;
  const weights = data.state === "ready" ? data.matrix.weights : null;
  const row = exactRow ?? weights?.subarray(dest * tokens.length, (dest + 1) * tokens.length);
  const { layer, head: index } = head;
  const rows = useMemo(() => {
    const factor = srcFactor(result, weighting, { layer, head: index });
    return row && sourceRows(row, factor, tokens, dest, result.causal);
  }, [result, layer, index, weighting, dest, exactRow, weights]);
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
      weighted={weighting === "attention" ? null : weightingInfo(weighting).label}
      announce={props.announce}
    />
  );
}
