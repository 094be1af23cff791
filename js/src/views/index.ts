// Which view draws what. A view that is nowhere does not compile.
import type { ComponentType } from "preact";
import type { Result } from "../wire/types";
import type { ViewProps } from "./contract";
import { HeatmapView, heatmapCss } from "./heatmap";
import type { Island, IslandKind, Lent } from "./island";
import { type ViewName, viewName } from "./name";
import { patchingCss } from "./patching";

type Views = {
  [K in Exclude<ViewName, IslandKind>]: ComponentType<ViewProps<Extract<Result, { kind: K }>>>;
};

const VIEWS: Views = { grid: HeatmapView };

/** The view of a result: that of an island, or the shell's own, which draws any grid. */
export function viewOf(result: Result, islands: readonly Island[]): ComponentType<ViewProps> {
  const own = (VIEWS as Record<string, unknown>)[result.kind];
  const view = islands.find(({ kind }) => kind === viewName(result))?.view ?? own;
  if (!view) throw new Error(`The view of this result (${result.kind}) is not here.`);
  // Each kind is paired with its own view, which the type of a look-up cannot say.
  return view as ComponentType<ViewProps>;
}

/** Whether what has this name is among these, or the shell's own view. */
export const hasView = (name: string | undefined, lent: readonly Lent[]): boolean =>
  name === undefined || name in VIEWS || lent.some(({ kind }) => kind === name);

/** Styles of the shell's own views, for the shadow root. */
export const viewsCss = heatmapCss + patchingCss;
