// What is dragged to give one side more room than the other; arrow keys do the same.
import type { JSX } from "preact";
import { useRef } from "preact/hooks";

interface DividerProps {
  label: string;
  /** Part of the room that the side before it has, 0 to 1; undefined where that says nothing. */
  value?: number | undefined;
  /** Between things one below the other. */
  across?: boolean;
  /** By so many pixels from where it was taken up; `last` when it is let go. */
  onMove(pixels: number, last: boolean): void;
  /** By key: one step or several, either way. */
  onStep(steps: number): void;
  /** As it was at first. */
  onReset(): void;
}

const FAR = 5;
const KEYS: Record<string, number> = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

export function Divider(props: DividerProps): JSX.Element {
  const { label, value, across = false, onMove, onStep, onReset } = props;
  const from = useRef<number | null>(null);
  const at = (event: PointerEvent): number => (across ? event.clientY : event.clientX);
  const move = (event: PointerEvent, last: boolean): void => {
    if (from.current === null) return;
    const pixels = at(event) - from.current;
    if (last) from.current = null;
    onMove(pixels, last);
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a rule cannot be moved
    <div
      class={across ? "hs-divider hs-divider-across" : "hs-divider"}
      role="separator"
      tabIndex={0}
      aria-orientation={across ? "horizontal" : "vertical"}
      aria-label={label}
      aria-valuenow={value === undefined ? 0 : Math.round(100 * value)}
      aria-valuemin={0}
      aria-valuemax={100}
      title={`${label}: drag, arrow keys, or double-click for the first one`}
      onPointerDown={(event) => {
        event.preventDefault();
        event.currentTarget.focus();
        event.currentTarget.setPointerCapture(event.pointerId);
        from.current = at(event);
      }}
      onPointerMove={(event) => move(event, false)}
      onPointerUp={(event) => move(event, true)}
      onPointerCancel={(event) => move(event, true)}
      onDblClick={onReset}
      onKeyDown={(event) => {
        const step = KEYS[event.key];
        if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        event.stopPropagation();
        onStep(event.shiftKey ? FAR * step : step);
      }}
    />
  );
}
