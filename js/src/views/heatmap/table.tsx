// The same numbers as a table, for reading without the picture.
import type { JSX } from "preact";
import { visible } from "../../state/tokens";
import { type Slice, shownLabel } from "./slice";
import { cellQuantity } from "./words";

/** A page holds so many cells without stalling. */
const MAX_CELLS = 2000;

export function Table({ slice }: { slice: Slice }): JSX.Element {
  const { rows, columns, rowAxis, columnAxis, measure, grid } = slice;
  const shownColumns = Math.min(columns, MAX_CELLS);
  const shownRows = Math.min(rows, Math.max(1, Math.floor(MAX_CELLS / shownColumns)));
  const cut = shownRows < rows || shownColumns < columns;
  return (
    <>
      {cut && (
        <p class="hs-muted">
          The first {shownRows} of {rows} rows and {shownColumns} of {columns} columns. “Copy” takes
          all.
        </p>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable */}
      <article class="hs-heatmap-table" tabIndex={0} aria-label={`${measure.title}, table`}>
        <table class="hs-table">
          <caption class="hs-hidden">
            {visible(grid.title)}: {measure.title}
          </caption>
          <thead>
            <tr>
              <th scope="col">{rowAxis.name}</th>
              {Array.from({ length: shownColumns }, (_, column) => (
                <th scope="col" key={column} class={columnAxis.tokens ? "hs-mono" : undefined}>
                  {shownLabel(columnAxis, column)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {Array.from({ length: shownRows }, (_, row) => (
              <tr key={row}>
                <th scope="row">{slice.rowLabel(row)}</th>
                {Array.from({ length: shownColumns }, (_, column) => (
                  <td key={column}>
                    {grid.top && <span class="hs-mono">{slice.topGlyphs(row, column)} </span>}
                    {cellQuantity(slice, { row, column })}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </article>
    </>
  );
}
