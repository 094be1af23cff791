// What a tooltip says about one cell.
import type { JSX } from "preact";
import type { Ramp } from "../../draw/colour";
import type { Cell } from "../../draw/hit";
import { formatNumber } from "../../draw/text";
import { tokenGlyphs } from "../../state/tokens";
import type { Axis, Measure } from "../../wire/types";
import { type Slice, shownLabel } from "./slice";
import { cellQuantity } from "./words";

/** Best tokens in a tooltip; a pinned cell lists all. */
const MAX_TOP = 6;
export function AxisLabel({ axis, index }: { axis: Axis; index: number }): JSX.Element {
  if (!axis.tokens) {
    const label = shownLabel(axis, index);
    return <span>{/^\d+$/.test(label) ? `${axis.name} ${label}` : label}</span>;
  }
  return (
    <span>
      {axis.name} {index} <span class="hs-token">{shownLabel(axis, index)}</span>
    </span>
  );
}

interface CardProps {
  slice: Slice;
  cell: Cell;
  ramp: Ramp;
}

/** The two ends of an interval, shown in one line. */
const isBound = ({ name }: Measure): boolean => name === "low" || name === "high";

export function CellCard({ slice, cell, ramp }: CardProps): JSX.Element {
  const { row, column } = cell;
  const { grid, measure, rowAxis, columnAxis } = slice;
  const top = slice.top(row, column).slice(0, MAX_TOP);
  const most = Math.max(...top.map(({ value }) => value), 0);
  const measures = grid.measures.filter((one) => !isBound(one));
  const bounds = grid.measures.filter(isBound).map((one) => slice.value(row, column, one));
  return (
    <>
      <div class="hs-card-head">
        <AxisLabel axis={rowAxis} index={slice.dataRow(row)} />
        <AxisLabel axis={columnAxis} index={column} />
      </div>
      <dl class="hs-card-values">
        {measures.map((one) => (
          <div key={one.name} class={one.name === measure.name ? "hs-current" : undefined}>
            <dt>
              {one.name === measure.name && (
                <i class="hs-swatch" style={{ background: ramp.css(slice.value(row, column)) }} />
              )}
              {one.title}
            </dt>
            <dd>{cellQuantity(slice, cell, one, 4)}</dd>
          </div>
        ))}
        {bounds.some(Number.isFinite) && (
          <div>
            <dt>95 % interval</dt>
            <dd>{bounds.map((bound) => formatNumber(bound)).join(" to ")}</dd>
          </div>
        )}
      </dl>
      {top.length > 0 && (
        <ol class="hs-card-top" aria-label="Top tokens">
          {top.map(({ id, text, value }) => (
            <li key={id}>
              <span class="hs-token">{tokenGlyphs(text)}</span>
              <i class="hs-meter" style={{ "--share": value / most }} />
              <span>{formatNumber(value)}</span>
            </li>
          ))}
        </ol>
      )}
    </>
  );
}
