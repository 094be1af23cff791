// One pane: a bar with its title, and below it another widget, for as long as the pane is open.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { PaneSpec } from "../wire/types";
import { Divider } from "./divider";
import { ErrorBox } from "./error-box";
import type { Move } from "./panes-layout";

/** As `DrawPart`, of a pane. */
export type DrawPane = (pane: PaneSpec, element: HTMLElement) => () => void;

interface PaneProps {
  pane: PaneSpec;
  open: boolean;
  /** In CSS pixels; undefined: what it needs. */
  height: number | undefined;
  /** What is said where there is no widget. */
  empty: string;
  /** Another pane is being carried about, and can be put here. */
  lifted: boolean;
  draw: DrawPane;
  onToggle(): void;
  onHeight(pixels: number | null): void;
  onMove: ((move: Move) => void) | undefined;
  onLift: ((up: boolean) => void) | undefined;
  onDrop(): void;
}

const MOVES: Record<string, Move> = {
  ArrowUp: "up",
  ArrowDown: "down",
  ArrowLeft: "left",
  ArrowRight: "right",
};
/** A step of the height by key, in pixels. */
const STEP = 16;

export function Pane(props: PaneProps): JSX.Element {
  const { pane, open, lifted, onToggle, onMove, onLift, onDrop } = props;
  return (
    <section
      class={lifted ? "hs-pane hs-pane-target" : "hs-pane"}
      aria-label={pane.title}
      data-pane={pane.name}
      onDragOver={(event) => lifted && event.preventDefault()}
      onDrop={(event) => {
        if (!lifted) return;
        event.preventDefault();
        event.stopPropagation();
        onDrop();
      }}
    >
      <header class="hs-pane-bar">
        <button type="button" class="hs-pane-title" aria-expanded={open} onClick={onToggle}>
          <span class="hs-pane-mark" aria-hidden="true" />
          <span class="hs-pane-text" title={pane.title}>
            {pane.title}
          </span>
        </button>
        {onMove && (
          <button
            type="button"
            class="hs-pane-grip"
            draggable
            aria-label={`Move ${pane.title}`}
            title={`Move ${pane.title}: drag, or arrow keys`}
            onDragStart={(event) => {
              event.stopPropagation();
              event.dataTransfer?.setData("text/plain", "");
              onLift?.(true);
            }}
            onDragEnd={() => onLift?.(false)}
            onKeyDown={(event) => {
              const move = MOVES[event.key];
              if (!move) return;
              event.preventDefault();
              event.stopPropagation();
              onMove(move);
            }}
          />
        )}
      </header>
      {open && <Body key={pane.widget} {...props} />}
    </section>
  );
}

function Body({ pane, height, empty, draw, onHeight }: PaneProps): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const before = useRef(0);
  useEffect(() => {
    if (place.current && pane.widget !== null) return draw(pane, place.current);
  }, []);
  const resize = (pixels: number): void => {
    if (place.current) place.current.style.height = `${pixels}px`;
  };
  return (
    <>
      {pane.error && <ErrorBox error={pane.error} />}
      {!pane.error && pane.widget === null && <p class="hs-note hs-pane-empty">{empty}</p>}
      <div
        ref={place}
        class="hs-pane-body"
        style={height === undefined ? {} : { height: `${height}px` }}
      />
      <Divider
        across
        label={`Height of ${pane.title}`}
        onMove={(pixels, last) => {
          before.current ||= place.current?.clientHeight ?? 0;
          const next = before.current + pixels;
          resize(next);
          if (!last) return;
          before.current = 0;
          onHeight(next);
        }}
        onStep={(steps) => onHeight((place.current?.clientHeight ?? 0) + steps * STEP)}
        onReset={() => onHeight(null)}
      />
    </>
  );
}
