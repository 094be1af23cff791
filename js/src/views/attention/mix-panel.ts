// Where the pattern of a mix comes from, and how far it can be weighted.
import type { Patterns } from "../../wire/types";
import type { HeadRef } from "./heads";
import { localMix, type Mix, mixOf } from "./mix";
import type { AttentionOptions } from "./options";
import { matrixOf, mixRequest, type PanelData } from "./panel-data";
import type { Slice, SliceRequest } from "./slices";
import { largest, type Weighting } from "./weighting";

export interface MixWanted {
  mix: Mix;
  weighting: Weighting;
  /** Computed here, because every head of it is held. */
  local: Float32Array | null;
  /** What to ask the kernel otherwise. */
  request: SliceRequest | null;
}

export interface MixPanel {
  mix: Mix;
  data: PanelData;
  weighting: Weighting;
  high: number;
}

let last: { result: Patterns; key: string; values: Float32Array | null } | null = null;

/** The one last mix is kept: a hover or a pin must not add up all heads again. */
function keptLocalMix(result: Patterns, mix: Mix, weighting: Weighting): Float32Array | null {
  const key = `${mix.reduce} ${mix.layer} ${weighting}`;
  if (last?.result !== result || last.key !== key) {
    last = { result, key, values: localMix(result, mix, weighting) };
  }
  return last.values;
}

/** The mix that the text view shows; null where it shows a head, or is not in sight. */
export function mixWanted(
  result: Patterns,
  options: AttentionOptions,
  primary: HeadRef,
): MixWanted | null {
  const mix = options.mode === "text" ? mixOf(options.mix, primary) : null;
  if (!mix) return null;
  const local = keptLocalMix(result, mix, options.weighting);
  return {
    mix,
    // The kernel mixes plain attention: sums of it cannot be weighted head by head afterwards.
    weighting: local ? options.weighting : "attention",
    local,
    // Nor is the difference of two mixes the mix of differences.
    request: local || result.signed ? null : mixRequest(result, mix),
  };
}

export function mixPanel(
  result: Patterns,
  { mix, weighting, local, request }: MixWanted,
  read: (key: string) => Slice,
): MixPanel {
  const slice: Slice | null = local
    ? { state: "ready", values: local }
    : request && read(request.key);
  if (slice?.state !== "ready") {
    return { mix, weighting, data: slice ?? { state: "frozen" }, high: 1 };
  }
  const matrix = matrixOf(result, slice.values, weighting, null);
  const high = largest(slice.values);
  return { mix, weighting, data: { state: "ready", matrix }, high };
}
