// Which colour is which value, in what unit, and what the sign means.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { makeRamp, type Ramp, type Theme } from "../../draw/colour";
import { legendScene } from "../../draw/legend";
import { palette } from "../../draw/palette";
import type { Scene } from "../../draw/scene";
import { SceneCanvas } from "../parts/canvas";
import type { Slice } from "./slice";
import { NOT_APPLICABLE, STATES, stateMarks, WAITING } from "./states";
import { quantity } from "./words";

interface LegendProps {
  slice: Slice;
  theme: Theme;
  width: number;
}

/** A cell in a state, with the marks that it has in the map. */
function swatch(state: number, ramp: Ramp, theme: Theme): Scene {
  const { paper, rule } = palette(theme);
  const box = { x: 0.5, y: 0.5, width: 15, height: 12 };
  const fill = state === NOT_APPLICABLE ? ramp.missing : ramp.css(ramp.scale.high / 3);
  const marked = stateMarks(theme);
  marked.add(state, box, ramp.ink(ramp.scale.high / 3));
  return {
    width: 16,
    height: 13,
    marks: [
      { kind: "rect", ...box, fill: state === WAITING ? paper : fill, stroke: rule },
      ...marked.marks(),
    ],
  };
}

/** How many cells are in which state. */
function statesOf(slice: Slice): number[] {
  const counts = STATES.map(() => 0);
  for (let row = 0; row < slice.rows; row++) {
    for (let column = 0; column < slice.columns; column++) {
      const state = slice.state(row, column);
      if (state !== null) counts[state] = (counts[state] ?? 0) + 1;
    }
  }
  return counts;
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
