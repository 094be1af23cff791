// A figure as the text of a file, with where it came from in the metadata.
import type { Theme } from "../draw/colour";
import { toSvg } from "../draw/svg";
import type { Drawing } from "../views/exports";
import type { Provenance } from "../wire/types";
import { figure, PAD } from "./page";

export interface Wanted {
  theme: Theme;
  /** CSS pixels, of which an inch has 96. */
  width: number;
  /** Null: the result's own; empty: none. */
  title: string | null;
  caption: string | null;
}

/** As Python has it without a word on style: 7 inches, both columns of a paper. */
export const PLAIN: Wanted = { theme: "light", width: 672, title: null, caption: null };

/** What a file keeps of where its numbers came from. */
export const recordOf = (provenance: Provenance): string =>
  JSON.stringify({ headscope: provenance });

/** `draw`: into a width. */
/** Says which interventions acted; empty: none. */
export function ranWith({ interventions: { length } }: Provenance): string {
  if (length === 0) return "";
  return `Run with ${length === 1 ? "an intervention" : `${length} interventions`}.`;
}

export function figureSvg(
  draw: (theme: Theme, width: number) => Drawing,
  provenance: Provenance,
  wanted: Wanted,
): string {
  const { theme } = wanted;
  const width = wanted.width - 2 * PAD;
  const { title, caption, drawings } = draw(theme, width);
  const said = `${caption} ${ranWith(provenance)}`.trim();
  const texts = { title: wanted.title ?? title, caption: wanted.caption ?? said };
  const scene = figure({ ...texts, theme, width, drawings });
  return toSvg({ ...scene, metadata: recordOf(provenance) });
}
