// Attention as a figure: every head small, and those that are enlarged beside each other.
import type { Theme } from "../draw/colour";
import { legendScene } from "../draw/legend";
import { palette } from "../draw/palette";
import type { Scene } from "../draw/scene";
import { tokenGlyphs } from "../state/tokens";
import { headBadge } from "../views/attention/badges";
import { enlargedHeads, type HeadRef, headLabel, heldHead } from "../views/attention/heads";
import { matrixLayout } from "../views/attention/matrix-layout";
import { matrixScene } from "../views/attention/matrix-scene";
import { readOptions } from "../views/attention/options";
import { passes, sortedHeads } from "../views/attention/order";
import { flowLayout, gridLayout } from "../views/attention/overview-layout";
import { overviewOverlay, overviewScene } from "../views/attention/overview-scene";
import { headRequest, heldMatrix } from "../views/attention/panel-data";
import { attentionRamp, makeThumbnails, scaleHigh } from "../views/attention/thumbnails";
import { scaled, weightingInfo } from "../views/attention/weighting";
import type { Ask, Drawing, Shown } from "../views/exports";
import type { HeadPattern, Patterns } from "../wire/types";
import { flow, line, placed } from "./page";

const LEGEND_WIDTH = 180;
const MOST_OVERVIEW = 560;
/** A figure does not scroll: many heads are small. */
const LEAST_TILE = 4;
/** Beyond the last cells, for what their labels overhang. */
const OVERHANG = 6;
const BETWEEN = 14;
const MATRIX = { least: 200, most: 420 };
/** Thumbnails are drawn this many times finer than the figure's own pixels. */
const FINE = 2;

/** The enlarged heads, as far as they are held. */
export const shownHeads = (result: Patterns, shown: Shown): HeadPattern[] =>
  wantedHeads(result, shown).flatMap((ref) => heldHead(result, ref) ?? []);

const wantedHeads = (result: Patterns, { view, selection }: Shown): HeadRef[] =>
  enlargedHeads(result, selection, readOptions(view, result).heads);

/** With the enlarged heads that the page lacks: a figure of a live page has them all. */
export async function completedPatterns(
  result: Patterns,
  shown: Shown,
  ask: Ask,
): Promise<Patterns> {
  const lacking = wantedHeads(result, shown).filter((ref) => !heldHead(result, ref));
  const heads = lacking.map(async (ref): Promise<HeadPattern[]> => {
    const { what, params } = headRequest(result, ref);
    const [weights, weighted = null] = (await ask(what, params)).arrays;
    return weights ? [{ ...ref, weights, weighted }] : [];
  });
  return { ...result, heads: [...result.heads, ...(await Promise.all(heads)).flat()] };
}

export function attentionFigure(own: Patterns, shown: Shown, theme: Theme, width: number): Drawing {
  const result = scaled(own, shown.view);
  const options = readOptions(shown.view, result);
  const { weighting, perHead, sort, filter } = options;
  const enlarged = shownHeads(result, shown);
  const across = Math.min(MOST_OVERVIEW, width);
  const heads = sortedHeads(result, sort);
  const layout =
    sort === "layer"
      ? gridLayout(heads, result.n_layers, result.n_heads, across, LEAST_TILE)
      : flowLayout(
          heads.filter((ref) => passes(result, filter, ref)),
          result.n_heads,
          across,
        );
  const pane = { x: 0, y: 0, width: layout.width, height: layout.height };
  const spec = {
    layout,
    theme,
    thumbnail: makeThumbnails(result, weighting, perHead, theme, layout.tile * FINE),
    badge: (ref: HeadRef) => headBadge(result, ref, theme),
    faded: (ref: HeadRef) => !passes(result, filter, ref),
  };
  const primary = enlarged[0] ?? { layer: 0, head: 0 };
  const rings = overviewOverlay(
    layout,
    theme,
    { enlarged, primary, hover: null, cursor: null },
    pane,
  );
  const overview = overviewScene(spec, pane);
  const all: Scene = { ...overview, marks: [...overview.marks, ...rings.marks] };
  const info = weightingInfo(result, weighting);
  const high = scaleHigh(result, weighting, perHead, primary);
  const bar = legendScene(attentionRamp(result, high, theme).scale, theme, LEGEND_WIDTH);
  const scope = perHead ? `${headLabel(primary)}; each head has its own scale` : "all heads";
  return {
    title: result.title,
    caption: `${capital(info.definition).replace(/\.?$/, ".")} Rows attend (dest), columns are attended to (src).`,
    drawings: [
      flow([line(`${info.label}, ${scope}`, theme), bar], width),
      all,
      ...(enlarged.length > 0
        ? [flow(matrices(result, enlarged, { weighting, perHead }, theme, width), width)]
        : []),
    ],
  };
}

function matrices(
  result: Patterns,
  heads: readonly HeadPattern[],
  { weighting, perHead }: Pick<ReturnType<typeof readOptions>, "weighting" | "perHead">,
  theme: Theme,
  width: number,
): Scene[] {
  const tokens = result.provenance.prompts[0]?.tokens ?? [];
  const glyphs = tokens.map((token) => tokenGlyphs(token));
  const fitting = Math.floor((width + BETWEEN) / (MATRIX.least + BETWEEN));
  const columns = Math.max(1, Math.min(heads.length, fitting));
  const side = Math.min(MATRIX.most, (width - BETWEEN * (columns - 1)) / columns) - OVERHANG;
  return heads.map((ref) => {
    const layout = matrixLayout(glyphs, side, null);
    const pane = {
      x: 0,
      y: 0,
      width: layout.contentWidth + OVERHANG,
      height: layout.contentHeight + OVERHANG,
    };
    const ramp = attentionRamp(result, scaleHigh(result, weighting, perHead, ref), theme);
    const matrix = heldMatrix(result, ref, weighting);
    const scene = matrixScene({ matrix, layout, glyphs, ramp, theme }, pane, FINE);
    const name = { x: 0, y: 0, size: 12, weight: 600, baseline: "top" } as const;
    return {
      width: scene.width,
      height: scene.height + 18,
      marks: [
        { kind: "text", text: headLabel(ref), fill: palette(theme).text, ...name },
        placed(scene, 0, 18),
      ],
    };
  });
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
