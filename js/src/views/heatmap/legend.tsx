// Which colour is which value, in what unit, and what the sign means.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { makeRamp, type Theme } from "../../draw/colour";
import { legendScene } from "../../draw/legend";
import { SceneCanvas } from "../parts/canvas";
import type { Slice } from "./slice";
import { STATES, statesOf, swatch } from "./states";
import { quantity } from "./words";

interface LegendProps {
  slice: Slice;
  theme: Theme;
  width: number;
}

export function Legend({ slice, theme, width }: LegendProps): JSX.Element {
  const { measure } = slice;
  const { scale } = measure;
  const { provenance } = slice.grid;
  const scene = useMemo(() => legendScene(scale, theme, width), [scale, theme, width]);
  const states = useMemo(() => statesOf(slice), [slice]);
  const ramp = makeRamp(scale, theme);
  const label =
    `Colour scale of ${measure.title}: ${quantity(scale.low, measure)} to ` +
    `${quantity(scale.high, measure)}${scale.kind === "diverging" ? ", neutral at 0" : ""}`;
  const said = measure.title.toLowerCase().includes(measure.unit.toLowerCase());
  return (
    <div class="hs-legend">
      <div class="hs-legend-bar">
        <span>
          {measure.title}
          {measure.unit && !said && <span class="hs-muted"> ({measure.unit})</span>}
          {scale.log && <span class="hs-muted">, log scale</span>}
        </span>
        <SceneCanvas scene={scene} label={label} />
        {states.map(
          (count, state) =>
            count > 0 && (
              <span class="hs-muted hs-legend-state" key={state}>
                <SceneCanvas scene={swatch(state, ramp, theme)} />
                {count} {STATES[state]}
              </span>
            ),
        )}
      </div>
      <p class="hs-legend-text hs-muted">
        {measure.definition}
        {scale.kind === "diverging" && provenance.sign && ` ${provenance.sign}`}
      </p>
    </div>
  );
}
