// The pinned dest row as a real table: top sources, copyable.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { formatNumber } from "../../draw/text";
import { tokenGlyphs } from "../../state/tokens";
import { copyText } from "../parts/clipboard";
import { Button } from "../parts/controls";
import { type HeadRef, headLabel } from "./heads";
import { type SourceRow, toTsv } from "./row";

/** Rows shown until all are asked for; a copy always holds all. */
const TOP = 10;

export interface SourceTableProps {
  head: HeadRef;
  dest: number;
  /** The pinned source: shown even where it is not among the top ones. */
  src: number | null;
  tokens: readonly string[];
  rows: readonly SourceRow[];
  /** How exact the values are: "float32", "float16". */
  precision: string;
  /** Name of the weighted column; null without a weighting. */
  weighted: string | null;
  announce(text: string): void;
}

export function SourceTable(props: SourceTableProps): JSX.Element {
  const { head, dest, src: pinned, tokens, rows, precision, weighted, announce } = props;
  const [all, setAll] = useState(false);
  const shown = rows.filter(({ rank, src }) => all || rank <= TOP || src === pinned);
  const copy = async (): Promise<void> => {
    announce(
      (await copyText(toTsv(rows, weighted)))
        ? `Copied ${rows.length} rows.`
        : "The browser refused to copy; select the table instead.",
    );
  };
  return (
    <div class="hs-att-sources">
      <table class="hs-table">
        <caption>
          {headLabel(head)}: what dest {dest}{" "}
          <span class="hs-token">{tokenGlyphs(tokens[dest] ?? "")}</span> attends to ({precision})
        </caption>
        <thead>
          <tr>
            <th scope="col">#</th>
            <th scope="col">src</th>
            <th scope="col">Token</th>
            <th scope="col">Attention</th>
            {weighted && <th scope="col">{weighted}</th>}
          </tr>
        </thead>
        <tbody>
          {shown.map(({ rank, src, token, attention, value }) => (
            <tr key={src} aria-current={src === pinned ? "true" : undefined}>
              <td class="hs-att-number">{rank}</td>
              <td class="hs-att-number">{src}</td>
              <td>
                <span class="hs-token">{tokenGlyphs(token)}</span>
              </td>
              <td class="hs-att-number">
                {formatNumber(attention, precision === "float32" ? 6 : 3)}
              </td>
              {weighted && <td class="hs-att-number">{formatNumber(value, 4)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
      <div class="hs-row">
        <Button label="Copy as TSV" onClick={() => void copy()} />
        {rows.length > TOP && (
          <Button
            label={all ? `Show the top ${TOP}` : `Show all ${rows.length}`}
            onClick={() => setAll(!all)}
          />
        )}
      </div>
    </div>
  );
}
