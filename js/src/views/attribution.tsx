// What a grid's values add up to: the identity of the whole, and the sum over a pinned cell's row or
// column where that sum is a logit.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { makeRamp, type Theme } from "../draw/colour";
import type { Cell } from "../draw/hit";
import { fixedFormat, formatNumber } from "../draw/text";
import type { Identity, Term } from "../wire/types";
import { AxisLabel } from "./heatmap/card";
import type { Slice } from "./heatmap/slice";

/** Longer lists show the largest terms and one line for the rest. */
const MAX_TERMS = 14;
const MAX_SUMMANDS = 6;

/** The largest terms in their given order, and the sum of the others. */
export function condensed(terms: readonly Term[], most = MAX_TERMS): Term[] {
  if (terms.length <= most) return [...terms];
  const bySize = [...terms].sort((p, q) => Math.abs(q.value) - Math.abs(p.value));
  const kept = new Set(bySize.slice(0, most - 1));
  const others = bySize.slice(most - 1);
  const value = others.reduce((sum, term) => sum + term.value, 0);
  return [
    ...terms.filter((term) => kept.has(term)),
    { label: `${others.length} smaller terms`, value },
  ];
}

const total = (terms: readonly Term[]): number => terms.reduce((sum, term) => sum + term.value, 0);

/** "The terms sum to logit(' Mary') within 3e−6, checked at 12 positions." */
export function identityInWords({ target, residue, checked }: Identity): string {
  const where = checked === 1 ? "1 position" : `${checked} positions`;
  const error = residue === 0 ? "exactly" : `within ${formatNumber(residue, 1)}`;
  return `The terms sum to ${target.label} ${error}, checked at ${where}.`;
}

/** "embeddings 1.20 + attention 3.41 + MLPs −0.31 = 4.30" */
export function equation({ terms, target }: Identity): string {
  const shown = condensed(terms, MAX_SUMMANDS);
  const format = fixedFormat(
    Math.max(...[...shown, target].map(({ value }) => Math.abs(value))),
    4,
  );
  const parts = shown.map(({ label, value }) => `${label} ${format(value)}`);
  return `${parts.join(" + ")} = ${format(total(terms))}`;
}

export function IdentityBar(props: { identity: Identity; theme: Theme }): JSX.Element {
  const { identity, theme } = props;
  const { target } = identity;
  return (
    <details class="hs-identity">
      <summary>
        {identityInWords(identity)} <span class="hs-muted hs-equation">{equation(identity)}</span>
      </summary>
      <Sums terms={identity.terms} totals={[target]} theme={theme} />
    </details>
  );
}

/** Rows add up to something when columns share one target: heads of a layer, source positions of
 * a head. Columns do when rows are the parts of one residual stream. */
export function additive({ grid, rowAxis, columnAxis }: Slice): { row: boolean; column: boolean } {
  const parts = new Set(["component", "layer", "head"]);
  if (!grid.identity) return { row: false, column: false };
  return {
    row: columnAxis.selects === "head" || columnAxis.selects === "src",
    column: parts.has(rowAxis.name),
  };
}

export function CellSums(props: { slice: Slice; cell: Cell; theme: Theme }): JSX.Element | null {
  const { slice, cell, theme } = props;
  const sums = useMemo(() => {
    const { row, column } = additive(slice);
    const { rows, columns } = slice;
    const ofColumn = Array.from({ length: rows }, (_, i) => ({
      label: slice.rowLabel(i),
      value: slice.value(i, cell.column),
    }));
    const ofRow = Array.from({ length: columns }, (_, i) => ({
      label: slice.columnAxis.tokens ? `${i} ${slice.columnLabel(i)}` : slice.columnLabel(i),
      value: slice.value(cell.row, i),
    }));
    const finite = (terms: Term[]): Term[] => terms.filter((term) => !Number.isNaN(term.value));
    return [
      ...(column ? [{ axis: slice.columnAxis, index: cell.column, terms: finite(ofColumn) }] : []),
      ...(row
        ? [{ axis: slice.rowAxis, index: slice.dataRow(cell.row), terms: finite(ofRow) }]
        : []),
    ];
  }, [slice, cell]);
  if (sums.length === 0) return null;
  return (
    <div class="hs-panel">
      {sums.map(({ axis, index, terms }) => (
        <section class="hs-panel-part" key={axis.name}>
          <h3>
            <span>Terms of</span> <AxisLabel axis={axis} index={index} />
          </h3>
          <Sums terms={terms} totals={[{ label: "Sum", value: total(terms) }]} theme={theme} />
        </section>
      ))}
    </div>
  );
}

interface SumsProps {
  terms: readonly Term[];
  /** What they are compared with. */
  totals: readonly Term[];
  theme: Theme;
}

/** Signed bars. */
export function Sums({ totals, ...props }: SumsProps): JSX.Element {
  const terms = condensed(props.terms);
  const most = Math.max(...[...terms, ...totals].map(({ value }) => Math.abs(value))) || 1;
  const format = fixedFormat(most, 4);
  const ramp = makeRamp(
    { kind: "diverging", low: -1, high: 1, reverse: false, log: false },
    props.theme,
  );
  const line = ({ label, value }: Term, isTotal = false): JSX.Element => {
    const share = value / most;
    const bar = {
      left: `${50 + 50 * Math.min(0, share)}%`,
      width: `${50 * Math.abs(share)}%`,
      background: ramp.css(Math.sign(share) * 0.7),
    };
    return (
      <div key={label} class={isTotal ? "hs-total" : undefined}>
        <dt title={label}>{label}</dt>
        <dd>
          <span class="hs-signed">
            <i style={bar} />
          </span>
        </dd>
        <dd>{format(value)}</dd>
      </div>
    );
  };
  return (
    <dl class="hs-sums">
      {terms.map((term) => line(term))}
      {totals.map((one) => line(one, true))}
    </dl>
  );
}
