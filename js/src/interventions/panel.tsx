// The interventions of a widget: a list that is edited, and actions on what is selected.
import type { JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Host, HostState } from "../host/contract";
import { visible } from "../state/tokens";
import { Button } from "../views/parts/controls";
import type { InterventionData } from "../wire/types";
import { Actions } from "./actions";
import { changed, moved, without } from "./editing";
import { useList } from "./list";
import { type Control, Row } from "./row";
import { wordsOf } from "./words";

export { default as interventionsCss } from "./interventions.css?inline";

export interface PanelProps {
  host: Host;
  state: HostState;
}

/** Where the focus goes once the list is drawn anew. */
interface Focus {
  row: number;
  control: Control;
}

const NEEDS_KERNEL = "Needs a live kernel";

export function Interventions({ host, state }: PanelProps): JSX.Element | null {
  const list = useList(host, state);
  const { items } = list;
  const [said, say] = useState("");
  const [lifted, lift] = useState<number | null>(null);
  const [over, setOver] = useState<number | null>(null);
  const root = useRef<HTMLFieldSetElement>(null);
  const focus = useRef<Focus | null>(null);
  useLayoutEffect(() => {
    if (!focus.current) return;
    const { row, control } = focus.current;
    focus.current = null;
    const found = root.current?.querySelector(`[data-row="${row}"] [data-control="${control}"]`);
    const button = found instanceof HTMLButtonElement ? found : found?.querySelector("button");
    (button ?? root.current)?.focus();
  });
  if (state.interventions === null) return null;

  const disabled = host.live ? undefined : NEEDS_KERNEL;
  const words = (index: number): string => {
    const item = items[index];
    return item ? visible(wordsOf(item)) : "";
  };
  const move = (index: number, to: number, control: Control): void => {
    focus.current = { row: to, control };
    list.set(moved(items, index, to));
    say(`${words(index)}, now number ${to + 1} of ${items.length}`);
  };
  const add = (item: InterventionData): void => {
    list.set([...items, item]);
    say(`Added: ${visible(wordsOf(item))}`);
  };
  const keyDown = (event: KeyboardEvent): void => {
    if (state.steps || !(event.ctrlKey || event.metaKey) || disabled) return;
    const key = event.key.toLowerCase();
    // Text that is being typed has an undo of its own.
    const target = event.composedPath()[0];
    const typing =
      target instanceof HTMLTextAreaElement ||
      (target instanceof HTMLInputElement && !["checkbox", "range", "radio"].includes(target.type));
    if (typing) return;
    if (key === "z") (event.shiftKey ? list.redo : list.undo)?.();
    else if (key === "y") list.redo?.();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <fieldset ref={root} class="hs-iv" aria-label="Interventions" tabIndex={-1} onKeyDown={keyDown}>
      <div class="hs-row">
        {!state.steps && (
          <>
            <Button
              label="Undo"
              title={disabled ?? "Ctrl+Z"}
              disabled={!!disabled || !list.undo}
              onClick={() => list.undo?.()}
            />
            <Button
              label="Redo"
              title={disabled ?? "Ctrl+Shift+Z"}
              disabled={!!disabled || !list.redo}
              onClick={() => list.redo?.()}
            />
          </>
        )}
        <Button
          label="Clear all"
          title={disabled}
          disabled={!!disabled || items.length === 0}
          onClick={() => {
            list.set([]);
            say("Removed all interventions");
            root.current?.focus();
          }}
        />
      </div>
      {items.length === 0 ? (
        <p class="hs-note">The model computes as it is.</p>
      ) : (
        <ol class="hs-iv-list" aria-label="Interventions, in the order in which they act">
          {items.map((item, index) => (
            <Row
              key={index}
              item={item}
              index={index}
              count={items.length}
              disabled={disabled}
              target={lifted !== null && over === index && over !== lifted}
              onChange={(change, moving) => list.set(changed(items, index, change), moving)}
              onMove={(to, control) => move(index, to, control)}
              onRemove={() => {
                focus.current = {
                  row: Math.min(index, items.length - 2),
                  control: "remove",
                };
                list.set(without(items, index));
                say(`Removed: ${words(index)}`);
              }}
              onLift={(up) => {
                lift(up ? index : null);
                setOver(null);
              }}
              onOver={() => setOver(index)}
              onDrop={() => {
                if (lifted !== null && lifted !== index) list.set(moved(items, lifted, index));
                lift(null);
              }}
            />
          ))}
        </ol>
      )}
      {!disabled && <Actions state={state} onAdd={add} />}
      <div class="hs-hidden" role="status" aria-live="polite">
        {said}
      </div>
    </fieldset>
  );
}
