// A grid as curves over its last axis, such as the layers, with what they are read by.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { type Chart, chartScene, placeAt } from "../draw/chart";
import type { Grid } from "../wire/types";
import type { ViewProps } from "./contract";
import { chartsOf, placesOf, readingAt } from "./curves/charts";
import { extentOf, stretchScene } from "./curves/stretches";
import { type HeatmapOption, optionName, readOptions } from "./heatmap/options";
import { indexAt } from "./heatmap/selection";
import { sliceOf } from "./heatmap/slice";
import { Table } from "./heatmap/table";
import { SceneCanvas } from "./parts/canvas";
import { Select, Toggle } from "./parts/controls";
import { type Anchor, Tooltip } from "./parts/tooltip";

export { default as curvesCss } from "./curves/curves.css?inline";

const GAP = 16;
const MOST_WIDE = 460;
const LEAST_WIDE = 270;
const TIP = 290;
export const CHART_HEIGHT = 176;

/** Of charts side by side in this room. */
export function chartWidth(width: number): number {
  const columns = Math.max(1, Math.floor((width + GAP) / (LEAST_WIDE + GAP)));
  return Math.floor(Math.min(MOST_WIDE, (width + GAP) / columns - GAP));
}

export function CurvesView(props: ViewProps<Grid>): JSX.Element {
  const { result: grid, selection, select, theme, width, announce } = props;
  const options = readOptions(props.options, grid);
  const set = (key: HeatmapOption, value: unknown): void => props.setOption(optionName(key), value);
  const axis = grid.axes[1];
  const selected = axis?.selects ? selection[axis.selects] : null;
  const pinned = selected !== null && selected < placesOf(grid).length ? selected : null;
  const [hover, setHover] = useState<{ place: number; anchor: Anchor } | null>(null);
  const charts = useMemo(() => chartsOf(grid, theme, pinned), [grid, theme, pinned]);
  const slice = useMemo(
    () => sliceOf(grid, { measure: options.measure, chosen: [], upward: false }),
    [grid, options.measure],
  );
  const words = (place: number): string =>
    [placesOf(grid)[place], ...readingAt(grid, place).map((pair) => pair.join(" "))].join(", ");
  const pin = (place: number | null): void => {
    if (!axis?.selects) return;
    const none = place === null || place === pinned;
    select(none ? { [axis.selects]: null } : indexAt(axis, place));
    announce(none ? "Unpinned" : `Pinned: ${words(place)}`);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) {
      const from = pinned ?? (step > 0 ? -1 : placesOf(grid).length);
      const next = Math.max(0, Math.min(placesOf(grid).length - 1, from + step));
      if (next !== pinned) pin(next);
    } else if (event.key === "Escape") pin(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="hs-curves">
      <div class="hs-toolbar">
        <Toggle label="Table" checked={options.table} onChange={(on) => set("table", on)} />
        {options.table && grid.measures.length > 1 && (
          <Select
            label="Of"
            options={grid.measures.map(({ name, title }) => ({ value: name, title }))}
            value={slice.measure.name}
            onChange={(name) => set("measure", name)}
          />
        )}
      </div>
      {options.table ? (
        <Table slice={slice} />
      ) : (
        <div
          class="hs-charts"
          role="application"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: an application takes the arrow keys
          tabIndex={0}
          data-lm-suppress-shortcuts="true"
          aria-label={`Curves over ${axis?.name}. Left and right arrow keys pin, Escape unpins.`}
          onKeyDown={onKeyDown}
          onPointerLeave={() => setHover(null)}
        >
          {charts.map((chart) => (
            <OneChart
              key={chart.title}
              {...props}
              chart={chart}
              width={chartWidth(width)}
              pin={pin}
              onHover={setHover}
            />
          ))}
        </div>
      )}
      <Tooltip anchor={hover?.anchor ?? null} width={TIP}>
        {hover && (
          <>
            <div class="hs-card-head">{placesOf(grid)[hover.place]}</div>
            <dl class="hs-card-values">
              {readingAt(grid, hover.place).map(([title, value]) => (
                <div key={title}>
                  <dt>{title}</dt>
                  <dd>{value}</dd>
                </div>
              ))}
            </dl>
          </>
        )}
      </Tooltip>
      {grid.stretches.length > 0 && <Guide {...props} />}
      <details class="hs-note">
        <summary>What the curves are</summary>
        <dl class="hs-curve-words">
          {grid.measures.map(({ name, title, definition }) => (
            <div key={name}>
              <dt>{title}</dt>
              <dd>{definition}</dd>
            </div>
          ))}
        </dl>
      </details>
    </div>
  );
}

interface OneChartProps extends ViewProps<Grid> {
  chart: Chart;
  pin(place: number): void;
  onHover(hover: { place: number; anchor: Anchor } | null): void;
}

function OneChart({ chart, theme, width, pin, onHover }: OneChartProps): JSX.Element {
  const scene = useMemo(() => chartScene(chart, theme, width, CHART_HEIGHT), [chart, theme, width]);
  const at = (event: MouseEvent): number => placeAt(chart, width, CHART_HEIGHT, event.offsetX);
  const ends = chart.series.map(({ label, values }) => {
    const numbers = Array.from(values, (value) => value.toPrecision(3));
    return `${label}: ${numbers.join(", ")}`;
  });
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the arrow keys of the charts pin too
    <figure
      class="hs-curve"
      onClick={(event) => pin(at(event))}
      onPointerMove={(event) => {
        const { clientX: x, clientY: y } = event;
        onHover({ place: at(event), anchor: { left: x, right: x, top: y, bottom: y } });
      }}
    >
      <SceneCanvas scene={scene} label={`${chart.title}. ${ends.join("; ")}`} />
      {chart.series.length > 1 && (
        <ul class="hs-keys">
          {chart.series.map(({ label, colour, dash }) => (
            <li key={label}>
              <i
                class={dash ? "hs-curve-key hs-curve-dashed" : "hs-curve-key"}
                style={{ color: colour }}
              />
              {label}
            </li>
          ))}
        </ul>
      )}
    </figure>
  );
}

/** Where each stretch is, and by which rule. */
function Guide({ result: grid, theme, width }: ViewProps<Grid>): JSX.Element {
  const scene = useMemo(
    () => stretchScene(grid, theme, Math.min(width, 2 * MOST_WIDE)),
    [grid, theme, width],
  );
  return (
    <section class="hs-panel">
      <div>
        <h3>Reading guide</h3>
        <SceneCanvas scene={scene} />
        <table class="hs-table hs-curve-guide">
          <tbody>
            {grid.stretches.map(({ label, rule }, i) => (
              <tr key={label}>
                <th scope="row">{label}</th>
                <td>{extentOf(grid, i)}</td>
                <td>{rule}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <p class="hs-muted">Found by these rules in the curves; a model need not show them all.</p>
      </div>
    </section>
  );
}
