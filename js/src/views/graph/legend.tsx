// What shapes, colours and widths mean.
import type { JSX } from "preact";
import type { Theme } from "../../draw/colour";
import { SceneCanvas } from "../parts/canvas";
import type { Picture } from "./groups";
import { ENTRY_SIZE, legendEntries } from "./legend-entries";
import type { Graph } from "./model";

interface LegendProps {
  graph: Graph;
  picture: Picture;
  theme: Theme;
}

export function GraphLegend({ graph, picture, theme }: LegendProps): JSX.Element {
  const [measure] = graph.result.measures;
  return (
    <div class="hs-graph-legend hs-muted">
      {legendEntries(graph, picture, theme).map(({ mark, width, text }) => (
        <span key={text}>
          <SceneCanvas scene={{ width, height: ENTRY_SIZE, marks: [mark] }} />
          {text}
        </span>
      ))}
      <span title={measure?.definition}>
        width: root of the share of the target's inflow. {measure?.title} in {measure?.unit}.{" "}
        {graph.result.provenance.sign}
      </span>
    </div>
  );
}
