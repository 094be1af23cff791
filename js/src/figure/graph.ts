// A graph as a figure: as the page shows it, whole, with what shapes and lines mean.
import type { Theme } from "../draw/colour";
import type { Mark, Scene } from "../draw/scene";
import type { Drawing, Shown } from "../views/exports";
import { FOOT, GUTTER, layoutPicture } from "../views/graph/layout";
import { legendEntries } from "../views/graph/legend-entries";
import { drawnLinks } from "../views/graph/links";
import { rankNodes } from "../views/graph/order";
import { baseScene } from "../views/graph/scene";
import type { CircuitGraph } from "../wire/types";
import { shownGraph } from "./graph-shown";
import { entry, flow } from "./page";

/** Room to the right of the last node, into which its edges bow. */
const BOW = 28;

export function graphFigure(
  result: CircuitGraph,
  state: Shown,
  theme: Theme,
  width: number,
): Drawing {
  const { graph, marks, shown, picture } = shownGraph(result, state);
  const { pinned, groups, labels, places } = marks;
  const layout = layoutPicture(graph, picture, rankNodes(graph), places, width);
  // Names of layers and of positions keep their size; what is between them shrinks.
  const right = Math.max(layout.width, ...Array.from(layout.x, (x) => x + BOW));
  const k = Math.min(1, (width - GUTTER) / (right - GUTTER));
  const size = {
    width: GUTTER + (right - GUTTER) * k,
    height: FOOT + (layout.height - FOOT) * k,
  };
  const look = { theme, ...size, view: { x: GUTTER * (1 - k), y: 0, k } };
  const links = drawnLinks(picture);
  const names = new Set(pinned);
  const keys = picture.items
    .filter(({ members }) => members.every((node) => names.has(graph.names[node] ?? "")))
    .map(({ key }) => key);
  const naming = { graph, labels, groups };
  const whole = baseScene({ picture, layout, naming, look }, links, new Set(keys));
  // Where nothing has a position there are none to name below.
  const named = graph.position.some((at) => at >= 0);
  const scene = named ? whole : { ...whole, height: whole.height - FOOT };
  const defined = result.measures[0]?.definition ?? "";
  const legend = legendEntries(graph, picture, theme).map(({ mark, width: wide, text }): Scene => {
    const marks: Mark[] = [mark];
    return entry({ width: wide, height: 16, marks }, text, theme);
  });
  return {
    title: result.title,
    caption:
      `Width: root of the share of the target's inflow. ${defined} ` +
      `${defined.includes("Positive") ? "" : result.provenance.sign} ${shown.edgeCount} of ${graph.edges} edges shown.`,
    drawings: [scene, flow(legend, width)],
  };
}
