// What shapes, colours and widths mean.
import type { JSX } from "preact";
import type { Theme } from "../../draw/colour";
import { palette } from "../../draw/palette";
import type { Mark } from "../../draw/scene";
import { SceneCanvas } from "../parts/canvas";
import { glyphPath, isHollow, KIND_WORDS, SHAPES } from "./glyphs";
import type { Picture } from "./groups";
import { DOTS, DOTTED_WIDTH, signColours } from "./links";
import type { Graph } from "./model";
import type { NodeKind } from "./names";

const SIZE = 16;

function glyphMark(kind: NodeKind, theme: Theme): Mark {
  const { text, paper, muted } = palette(theme);
  const shape = SHAPES[kind];
  const d = glyphPath(shape, SIZE / 2, SIZE / 2, 5);
  if (isHollow(shape)) return { kind: "path", d, fill: paper, stroke: text, lineWidth: 1.6 };
  return { kind: "path", d, fill: shape === "diamond" ? muted : text };
}

interface LegendProps {
  graph: Graph;
  picture: Picture;
  theme: Theme;
}

export function GraphLegend({ graph, picture, theme }: LegendProps): JSX.Element {
  const kinds = [...new Set(picture.items.map(({ node }) => graph.kinds[node] ?? "other"))];
  const { positive, negative } = signColours(theme);
  const [measure] = graph.result.measures;
  const line = (stroke: string, dash?: number[], lineWidth = 2.4): Mark => ({
    kind: "line",
    x1: 1,
    y1: 8,
    x2: 31,
    y2: 8,
    stroke,
    lineWidth,
    ...(dash ? { dash } : {}),
  });
  return (
    <div class="hs-graph-legend hs-muted">
      {kinds.map((kind) => (
        <span key={kind}>
          <SceneCanvas scene={{ width: SIZE, height: SIZE, marks: [glyphMark(kind, theme)] }} />
          {KIND_WORDS[kind]}
        </span>
      ))}
      <span>
        <SceneCanvas scene={{ width: 32, height: SIZE, marks: [line(positive)] }} />
        positive
      </span>
      <span>
        <SceneCanvas scene={{ width: 32, height: SIZE, marks: [line(negative, [5, 3])] }} />
        negative
      </span>
      {picture.outside.some(Boolean) && (
        <span>
          <SceneCanvas
            scene={{
              width: 32,
              height: SIZE,
              marks: [line(palette(theme).muted, DOTS, DOTTED_WIDTH)],
            }}
          />
          pruned, shown for what is pinned
        </span>
      )}
      <span title={measure?.definition}>
        width: root of the share of the target's inflow. {measure?.title} in {measure?.unit}.{" "}
        {graph.result.provenance.sign}
      </span>
    </div>
  );
}
