// Which view draws which result kind. A kind without a view does not compile.
import type { ComponentType } from "preact";
import type { Result } from "../wire/types";
import { AttentionView, attentionCss } from "./attention";
import type { ViewProps } from "./contract";
import { HeatmapView, heatmapCss } from "./heatmap";
import { patchingCss } from "./patching";

type Views = { [K in Result["kind"]]: ComponentType<ViewProps<Extract<Result, { kind: K }>>> };

export const VIEWS: Views = { grid: HeatmapView, patterns: AttentionView };

/** Styles of all views, for the shadow root. */
export const viewsCss = heatmapCss + patchingCss + attentionCss;
