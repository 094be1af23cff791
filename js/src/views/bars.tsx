// A grid `[token, run]` as paired bars: what a model predicts before and after a change.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { formatNumber } from "../draw/text";
import { visible } from "../state/tokens";
import type { Grid } from "../wire/types";
import { amount, leastChange, moreTelling, type Row, rowsOf, SORTS, sortOf } from "./bars/rows";
import { barsScene } from "./bars/scene";
import type { ViewProps } from "./contract";
import { readOptions } from "./heatmap/options";
import { sliceOf } from "./heatmap/slice";
import { Table } from "./heatmap/table";
import { SceneCanvas } from "./parts/canvas";
import { Segmented, Toggle } from "./parts/controls";

export { default as barsCss } from "./bars/bars.css?inline";

const MAX_WIDTH = 760;

export function BarsView(props: ViewProps<Grid>): JSX.Element {
  const { result: grid, theme, width, setOption } = props;
  const { measure: index, table } = readOptions(props.options, grid);
  const sort = sortOf(props.options);
  const slice = useMemo(
    () => sliceOf(grid, { measure: index, chosen: [], upward: false }),
    [grid, index],
  );
  const { measure } = slice;
  const rows = useMemo(() => rowsOf(grid, measure, sort), [grid, measure, sort]);
  const other = useMemo(() => moreTelling(grid, measure), [grid, measure]);
  const scene = useMemo(
    () => barsScene(rows, measure.unit, theme, Math.min(width, MAX_WIDTH)),
    [rows, measure, theme, width],
  );
  return (
    <div class="hs-bars">
      <div class="hs-toolbar">
        <Segmented
          label="Show"
          options={grid.measures.map(({ name, title, definition }) => ({
            value: name,
            title,
            help: definition,
          }))}
          value={measure.name}
          onChange={(name) => setOption("heatmap_measure", name)}
        />
        <Segmented
          label="First the"
          options={SORTS}
          value={sort}
          onChange={(next) => setOption("bars_sort", next)}
        />
        <Toggle label="Table" checked={table} onChange={(on) => setOption("heatmap_table", on)} />
      </div>
      {other && (
        <p class="hs-note">
          No change of {amount(leastChange(measure.unit), measure.unit)} or more in{" "}
          {measure.title.toLowerCase()}: look at {other.title}.
        </p>
      )}
      {table ? (
        <Table slice={slice} />
      ) : (
        <SceneCanvas scene={scene} label={inWords(rows, measure.title, measure.unit)} />
      )}
      <dl class="hs-bars-terms">
        {grid.baselines.map(({ label, value }) => (
          <div key={label}>
            <dt>{visible(label)}</dt>
            <dd>{formatNumber(value)} nats</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

const SPOKEN = 3;

function inWords(rows: readonly Row[], title: string, unit: string): string {
  const said = rows
    .slice(0, SPOKEN)
    .map(
      (row) => `${row.label} ${amount(row.before, unit)} before, ${amount(row.after, unit)} after`,
    );
  return `${title}: ${said.join("; ")}. The table has all ${rows.length}.`;
}
