// Interventions that are made of texts: means over prompts, and directions to steer by.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Button, Segmented } from "../views/parts/controls";
import type { DirectionData, InterventionData } from "../wire/types";

interface Adds {
  positions: number[] | null;
  onAdd(item: InterventionData): void;
}

const lines = (text: string): string[] => text.split("\n").filter((line) => line.trim() !== "");

export function MeanOver({ component, positions, onAdd }: Adds & { component: string }) {
  const [text, setText] = useState("");
  const prompts = lines(text);
  return (
    <details class="hs-iv-more">
      <summary>Mean of {component} over prompts</summary>
      <PromptLines label="Prompts, one a line" value={text} onInput={setText} />
      <Button
        label={`Replace ${component} by its mean`}
        disabled={prompts.length === 0}
        onClick={() => onAdd({ kind: "mean", on: true, component, prompts, positions })}
      />
    </details>
  );
}

type Of = "tokens" | "means";

const OF = [
  { value: "tokens", title: "two tokens", help: "The embedding of one less that of the other" },
  {
    value: "means",
    title: "two lists of prompts",
    help: "The mean over one less that over the other",
  },
] as const;

export function Steering({ layer, positions, onAdd }: Adds & { layer: number | null }) {
  const [typed, setTyped] = useState<number | null>(null);
  const [of, setOf] = useState<Of>("tokens");
  const [toward, setToward] = useState("");
  const [away, setAway] = useState("");
  const at = typed ?? layer ?? 0;
  const direction = directionOf(of, toward, away);
  const Box = of === "tokens" ? TokenBox : PromptLines;
  return (
    <details class="hs-iv-more">
      <summary>Steer by a direction</summary>
      <div class="hs-row">
        <label class="hs-control">
          <span class="hs-label">before layer</span>
          <input
            class="hs-input hs-number hs-iv-layer"
            type="number"
            min={0}
            step={1}
            value={at}
            onInput={(event) => {
              const next = event.currentTarget.valueAsNumber;
              setTyped(Number.isInteger(next) && next >= 0 ? next : null);
            }}
          />
        </label>
        <Segmented label="by" options={OF} value={of} onChange={(next) => setOf(next)} />
      </div>
      <div class="hs-row hs-iv-texts">
        <Box label="Toward" value={toward} onInput={setToward} />
        <Box label="Away from" value={away} onInput={setAway} />
      </div>
      <Button
        label="Steer"
        title={
          direction
            ? "Strength 1 adds the whole difference"
            : "Write what to steer toward, and away from"
        }
        disabled={direction === null}
        onClick={() =>
          direction &&
          onAdd({ kind: "steer", on: true, layer: at, direction, strength: 1, positions })
        }
      />
    </details>
  );
}

function directionOf(of: Of, toward: string, away: string): DirectionData | null {
  if (of === "tokens") return toward && away ? { kind: "tokens", toward, away } : null;
  const prompts = lines(toward);
  return prompts.length > 0 ? { kind: "means", toward: prompts, away: lines(away) } : null;
}

interface BoxProps {
  label: string;
  value: string;
  onInput(text: string): void;
}

function TokenBox({ label, value, onInput }: BoxProps): JSX.Element {
  return (
    <label class="hs-control">
      <span class="hs-label">{label}</span>
      <input
        class="hs-input hs-mono"
        size={14}
        placeholder="with its space"
        spellcheck={false}
        value={value}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </label>
  );
}

function PromptLines({ label, value, onInput }: BoxProps): JSX.Element {
  return (
    <label class="hs-iv-lines">
      <span class="hs-label">{label}</span>
      <textarea
        class="hs-prompt-text"
        rows={3}
        placeholder="one prompt a line"
        spellcheck={false}
        value={value}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </label>
  );
}
