// Which colour is which value, in what unit, and what the sign means.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { makeRamp, type Theme } from "../../draw/colour";
import { legendScene } from "../../draw/legend";
import type { Measure, Provenance } from "../../wire/types";
import { SceneCanvas } from "../parts/canvas";
import { quantity } from "./words";

interface LegendProps {
  measure: Measure;
  provenance: Provenance;
  theme: Theme;
  width: number;
}

export function Legend({ measure, provenance, theme, width }: LegendProps): JSX.Element {
  const { scale, values } = measure;
  const scene = useMemo(() => legendScene(scale, theme, width), [scale, theme, width]);
  const partial = useMemo(() => values.data.some((value: number) => Number.isNaN(value)), [values]);
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
        {partial && (
          <span class="hs-muted hs-legend-missing">
            <i class="hs-missing" style={{ "--missing": makeRamp(scale, theme).missing }} />
            not applicable
          </span>
        )}
      </div>
      <p class="hs-legend-text hs-muted">
        {measure.definition}
        {scale.kind === "diverging" && provenance.sign && ` ${provenance.sign}`}
      </p>
    </div>
  );
}
