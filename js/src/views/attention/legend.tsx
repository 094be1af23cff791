// The colour scale with its domain, and how a masked cell looks.
import type { JSX } from "preact";
import type { Ramp } from "../../draw/colour";
import { formatNumber } from "../../draw/text";
import type { Patterns } from "../../wire/types";
import { type Weighting, weightingInfo } from "./weighting";

const STOPS = 9;

export function Legend(props: {
  result: Patterns;
  ramp: Ramp;
  weighting: Weighting;
  /** Whose scale it is: "one scale for all heads". */
  scope: string;
  /** How masked cells look here; null where none is masked. */
  masked: "hatched" | "grey" | null;
}): JSX.Element {
  const { result, ramp, weighting, scope, masked } = props;
  const { low, high } = ramp.scale;
  const stops = Array.from({ length: STOPS }, (_, i) =>
    ramp.css(low + ((high - low) * i) / (STOPS - 1)),
  );
  const { label, definition } = weightingInfo(result, weighting);
  return (
    <div class="hs-att-legend">
      <span title={definition}>{label}</span>
      <span class="hs-att-number">{formatNumber(low)}</span>
      <span
        class="hs-att-ramp"
        style={{ background: `linear-gradient(90deg, ${stops.join(", ")})` }}
      />
      <span class="hs-att-number">{formatNumber(high)}</span>
      <span class="hs-muted">{scope}</span>
      {result.signed && result.value_norm.data.some(Number.isNaN) && (
        <span class="hs-muted">
          <span class="hs-att-swatch hs-att-after" /> a token that meets none
        </span>
      )}
      {masked && (
        <span class="hs-muted">
          <span
            class={`hs-att-swatch ${masked === "hatched" ? "hs-att-masked" : "hs-att-after"}`}
          />{" "}
          masked (src after dest)
        </span>
      )}
    </div>
  );
}
