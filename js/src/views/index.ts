// Which view draws which result kind. A kind without a view does not compile.
import type { ComponentType } from "preact";
import type { Result } from "../wire/types";
import type { ViewProps } from "./contract";
import { HeatmapView, heatmapCss } from "./heatmap";
import type { Island, IslandKind } from "./island";
import { patchingCss } from "./patching";

type Kind = Exclude<Result["kind"], IslandKind>;
type Views = { [K in Kind]: ComponentType<ViewProps<Extract<Result, { kind: K }>>> };

const VIEWS: Views = { grid: HeatmapView };

/** The view of a kind: the shell's own, or that of an island. */
export function viewOf(kind: Result["kind"], islands: readonly Island[]): ComponentType<ViewProps> {
  const own = (VIEWS as Record<string, unknown>)[kind];
  const view = own ?? islands.find((island) => island.kind === kind)?.view;
  if (!view) throw new Error(`The view of this result (${kind}) is not here.`);
  // Each kind is paired with its own view, which the type of a look-up cannot say.
  return view as ComponentType<ViewProps>;
}

/** Whether results of this kind can be drawn with these islands. */
export const hasView = (kind: string | undefined, islands: readonly Island[]): boolean =>
  kind === undefined || kind in VIEWS || islands.some((island) => island.kind === kind);

/** Styles of the shell's own views, for the shadow root. */
export const viewsCss = heatmapCss + patchingCss;
