// Whether the view shows the model with the interventions, without them, or the difference.
import type { JSX } from "preact";
import type { Effect, Host, HostState } from "../host/contract";
import { Segmented } from "../views/parts/controls";
import { liveTitle } from "./notes";

const CHOICES: readonly { value: Effect; title: string; help: string }[] = [
  { value: "with", title: "With", help: "The model with the interventions" },
  { value: "without", title: "Without", help: "The model as it is" },
  {
    value: "difference",
    title: "Difference",
    help: "What the interventions add: with them, less without them",
  },
];

export function EffectChoice({
  host,
  state,
}: {
  host: Host;
  state: HostState;
}): JSX.Element | null {
  const acting = state.interventions?.filter(({ on }) => on).length ?? 0;
  // There is nothing to choose before both have been computed, or where both are the same.
  if (acting ? !state.shifts.length : state.effect === "with") return null;
  const graph = state.result?.kind === "circuit_graph"; // two graphs have no difference
  const choices = CHOICES.filter(({ value }) => !(graph && value === "difference"));
  const options = choices.map(({ value, title, help }) => {
    const there = host.live || state.effects.includes(value);
    return { value, title, help: liveTitle(there, help), disabled: !there };
  });
  return (
    <div class="hs-toolbar hs-effect">
      <span class="hs-acting">
        {acting === 1 ? "1 intervention acts" : `${acting || "No"} interventions act`}
      </span>
      <Segmented label="Show" options={options} value={state.effect} onChange={host.setEffect} />
    </div>
  );
}
