// One intervention of the list.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { visible } from "../state/tokens";
import { Button } from "../views/parts/controls";
import type { InterventionData } from "../wire/types";
import { type Amount, amountOf, readPositions } from "./editing";
import { wordsOf } from "./words";

/** Names of the controls that keep the focus when their row moves. */
export type Control = "up" | "down" | "remove";

interface RowProps {
  item: InterventionData;
  index: number;
  count: number;
  /** Why nothing can be changed. */
  disabled: string | undefined;
  /** A row is being dragged, and it would come to this one's place. */
  target: boolean;
  onChange(change: object, moving?: boolean): void;
  onMove(to: number, control: Control): void;
  onRemove(): void;
  onLift(lifted: boolean): void;
  onOver(): void;
  onDrop(): void;
}

export function Row(props: RowProps): JSX.Element {
  const { item, index, count, disabled, target, onChange, onMove, onRemove } = props;
  const words = visible(wordsOf(item));
  const amount = amountOf(item);
  const off = disabled !== undefined;
  const arrow = (control: "up" | "down", to: number, sign: string): JSX.Element => (
    <MoveButton
      control={control}
      label={`Move ${control}: ${words}`}
      sign={sign}
      end={to < 0 || to >= count}
      disabled={disabled}
      onClick={() => onMove(to, control)}
    />
  );
  return (
    <li
      class={`hs-iv-row${item.on ? "" : " hs-iv-off"}${target ? " hs-iv-target" : ""}`}
      data-row={index}
      onDragOver={(event) => {
        event.preventDefault();
        props.onOver();
      }}
      onDrop={(event) => {
        event.preventDefault();
        props.onDrop();
      }}
    >
      <span
        class="hs-iv-grip"
        aria-hidden="true"
        title={disabled ?? "Drag to another place"}
        draggable={!off}
        onDragStart={(event) => {
          const row = event.currentTarget.closest("li");
          if (row) event.dataTransfer?.setDragImage(row, 0, 0);
          event.dataTransfer?.setData("text/plain", words);
          props.onLift(true);
        }}
        onDragEnd={() => props.onLift(false)}
      >
        ⠿
      </span>
      <label class="hs-toggle hs-iv-words" title={disabled ?? words}>
        <input
          type="checkbox"
          checked={item.on}
          disabled={off}
          onChange={(event) => onChange({ on: event.currentTarget.checked })}
        />
        <span>{words}</span>
      </label>
      {amount && (
        <AmountSlider amount={amount} words={words} disabled={disabled} onChange={onChange} />
      )}
      {"positions" in item && (
        <PositionsBox
          positions={item.positions}
          words={words}
          disabled={disabled}
          onChange={(positions) => onChange({ positions })}
        />
      )}
      <span class="hs-iv-buttons">
        {arrow("up", index - 1, "↑")}
        {arrow("down", index + 1, "↓")}
        <span data-control="remove">
          <Button label={`Remove: ${words}`} disabled={off} title={disabled} onClick={onRemove}>
            ×
          </Button>
        </span>
      </span>
    </li>
  );
}

interface MoveButtonProps {
  control: Control;
  label: string;
  sign: string;
  /** There is no place further on. It keeps the focus all the same. */
  end: boolean;
  disabled: string | undefined;
  onClick(): void;
}

function MoveButton({ control, label, sign, end, disabled, onClick }: MoveButtonProps) {
  return (
    <button
      type="button"
      class="hs-button"
      data-control={control}
      aria-label={label}
      aria-disabled={end}
      title={disabled ?? label}
      disabled={disabled !== undefined}
      onClick={() => !end && onClick()}
    >
      {sign}
    </button>
  );
}

interface AmountProps {
  amount: Amount;
  words: string;
  disabled: string | undefined;
  onChange(change: object, moving?: boolean): void;
}

function AmountSlider({ amount, words, disabled, onChange }: AmountProps): JSX.Element {
  const { field, title, value, step } = amount;
  /** The range while the thumb is held: it must not move away from under it. */
  const [held, setHeld] = useState<Amount | null>(null);
  const { low, high } = held ?? amount;
  const label = `${title}: ${words}`;
  const take = (next: number, moving: boolean): void => {
    if (Number.isFinite(next)) onChange({ [field]: next }, moving);
  };
  return (
    <span class="hs-control hs-iv-amount" title={disabled}>
      <input
        type="range"
        aria-label={label}
        min={low}
        max={high}
        step={step}
        value={value}
        disabled={disabled !== undefined}
        onInput={(event) => {
          setHeld((range) => range ?? amount);
          take(event.currentTarget.valueAsNumber, true);
        }}
        onChange={(event) => {
          setHeld(null);
          take(event.currentTarget.valueAsNumber, false);
        }}
      />
      <input
        class="hs-input hs-number"
        type="number"
        aria-label={`${label}, as a number`}
        step="any"
        value={value}
        disabled={disabled !== undefined}
        onChange={(event) => {
          const typed = event.currentTarget.valueAsNumber;
          if (Number.isFinite(typed)) take(typed, false);
          else event.currentTarget.value = String(value);
        }}
      />
    </span>
  );
}

interface PositionsProps {
  positions: readonly number[] | null;
  words: string;
  disabled: string | undefined;
  onChange(positions: number[] | null): void;
}

function PositionsBox({ positions, words, disabled, onChange }: PositionsProps): JSX.Element {
  const current = positions?.join(", ") ?? "";
  const [typed, setTyped] = useState<string | null>(null);
  useEffect(() => setTyped(null), [current]);
  const wrong = typed !== null && readPositions(typed) === undefined;
  const commit = (): void => {
    const found = typed === null ? undefined : readPositions(typed);
    if (found === undefined) return;
    setTyped(null);
    if ((found?.join(", ") ?? "") !== current) onChange(found);
  };
  return (
    <label
      class="hs-control hs-iv-positions"
      title={disabled ?? "Positions, such as 2, -1 (the last); empty for all"}
    >
      <span class="hs-label">at</span>
      <input
        class="hs-input hs-number"
        aria-label={`Positions: ${words}`}
        aria-invalid={wrong}
        placeholder="all"
        value={typed ?? current}
        disabled={disabled !== undefined}
        onInput={(event) => setTyped(event.currentTarget.value)}
        onBlur={() => (wrong ? setTyped(null) : commit())}
        onKeyDown={(event) => {
          if (event.key === "Enter") commit();
          else if (event.key === "Escape") setTyped(null);
        }}
      />
    </label>
  );
}
