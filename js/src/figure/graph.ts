// A graph as a figure: as the page shows it, whole, with what shapes and lines mean.
import type { Theme } from "../draw/colour";
import type { Mark, Scene } from "../draw/scene";
import type { Drawing, Shown } from "../views/exports";
import { layoutPicture } from "../views/graph/layout";
import { legendEntries } from "../views/graph/legend-entries";
import { drawnLinks } from "../views/graph/links";
import { rankNodes } from "../views/graph/order";
import { baseScene } from "../views/graph/scene";
import type { CircuitGraph } from "../wire/types";
import { shownGraph } from "./graph-shown";
import { entry, flow } from "./page";

export function graphFigure(
  result: CircuitGraph,
  state: Shown,
  theme: Theme,
  width: number,
): Drawing {
  const { graph, marks, shown, picture } = shownGraph(result, state);
  const { pinned, groups, labels, places } = marks;
  const layout = layoutPicture(graph, picture, rankNodes(graph), places, width);
  const scale = Math.min(1, width / layout.width);
  const size = { width: layout.width * scale, height: layout.height * scale };
  const look = { theme, ...size, view: { x: 0, y: 0, k: scale } };
  const links = drawnLinks(picture);
  const names = new Set(pinned);
  const keys = picture.items
    .filter(({ members }) => members.every((node) => names.has(graph.names[node] ?? "")))
    .map(({ key }) => key);
  const naming = { graph, labels, groups };
  const scene = baseScene({ picture, layout, naming, look }, links, new Set(keys));
  const [measure] = result.measures;
  const legend = legendEntries(graph, picture, theme).map(({ mark, width: wide, text }): Scene => {
    const marks: Mark[] = [mark];
    return entry({ width: wide, height: 16, marks }, text, theme);
  });
  return {
    title: result.title,
    caption:
      `Width: root of the share of the target's inflow. ${measure?.definition ?? ""} ` +
      `${result.provenance.sign} ${shown.edgeCount} of ${graph.edges} edges shown.`,
    drawings: [scene, flow(legend, width)],
  };
}
