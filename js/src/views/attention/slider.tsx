// A slider from 0 to 1: follows the thumb at once, reports where it is let go.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

export function Slider(props: {
  label: string;
  value: number;
  step: number;
  /** What the position means, such as "≥ 0.40". */
  format(value: number): string;
  onChange(value: number): void;
}): JSX.Element {
  const { label, value, step, format, onChange } = props;
  const [position, setPosition] = useState(value);
  useEffect(() => setPosition(value), [value]);
  return (
    <label class="hs-control">
      <span class="hs-label">{label}</span>
      <input
        class="hs-att-slider"
        type="range"
        min={0}
        max={1}
        step={step}
        value={position}
        aria-valuetext={format(position)}
        onInput={(event) => setPosition(event.currentTarget.valueAsNumber)}
        onChange={(event) => onChange(event.currentTarget.valueAsNumber)}
      />
      <span class="hs-att-number">{format(position)}</span>
    </label>
  );
}
