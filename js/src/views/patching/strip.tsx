// Over the columns of a patching map: the other prompt's token that meets each position, to be moved
// by mouse or keyboard.
import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { visibleSpan } from "../../draw/layout";
import { tokenGlyphs } from "../../state/tokens";
import type { Alignment, Grid } from "../../wire/types";
import type { ViewProps } from "../contract";
import type { Layout } from "../heatmap/layout";
import type { Slice } from "../heatmap/slice";
import { Button } from "../parts/controls";
import { placed, type Source, stepped, unmatched } from "./alignment";

/** Height that the layout keeps free for it. */
export const STRIP = 24;
/** Narrower columns have no room for any mark. */
const MARK_FROM = 6;
/** Dragged so far up or down, a token is taken away. */
const AWAY = 70;
const MAX_UNMATCHED = 40;
/** Without a map: the width of a token, and of what stands before them. */
const ALONE = { cell: 64, left: 74 };
const NAMES = ["clean", "corrupted"];
/** Of a difference, whose alignment is fixed. */
const COMPARED = ["one", "other"];
const LONG = 40;

const px = (size: number): string => `${size}px`;

/** The alignment, where this slice's columns are the positions that it is about. */
export function alignmentOf({ grid, columnAxis, columns }: Slice): Alignment | null {
  const { alignment } = grid;
  return columnAxis.tokens && alignment?.source.data.length === columns ? alignment : null;
}

/** Whether the grid is the difference of two others. */
export const isDifference = ({ provenance }: Grid): boolean => provenance.analysis === "difference";

/** Whether any token meets one at another position, or none. */
export function isShifted({ alignment, provenance: { prompts } }: Grid): boolean {
  const [clean, corrupted] = prompts.map(({ tokens }) => tokens.length);
  return clean !== corrupted || !!alignment?.source.data.some((met: number, at) => met !== at);
}

interface StripProps extends ViewProps<Grid> {
  slice: Slice;
  alignment: Alignment;
  /** Of the map over whose columns it lies; by itself it shows both prompts. */
  layout?: Layout;
  scrollX?: number;
  /** Asks the kernel for a change; false if it refused. */
  order(what: string, params: Record<string, unknown>): Promise<boolean>;
}

interface Drag {
  token: number;
  fromX: number;
  fromY: number;
  dx: number;
  dy: number;
  /** Null: away. */
  position: number | null;
}

export function Strip(props: StripProps): JSX.Element {
  const { slice, alignment, layout, scrollX = 0, order, announce } = props;
  const fixed = isDifference(slice.grid);
  const live = props.live && !fixed;
  const cellWidth = layout?.cellWidth ?? ALONE.cell;
  const strip = useRef<HTMLDivElement>(null);
  const held = useRef<number | null>(null);
  const known: Source = useMemo(() => [...alignment.source.data], [alignment]);
  /** What was sent, until the kernel's next word on it. */
  const [sent, setSent] = useState<Source | null>(null);
  const word = known.join();
  useLayoutEffect(() => setSent(null), [word]);
  const source = sent ?? known;
  const [drag, setDrag] = useState<Drag | null>(null);
  const target = drag && placed(source, drag.token, drag.position);

  const names = fixed ? COMPARED : NAMES;
  const own = names[alignment.shown];
  const name = names[1 - alignment.shown];
  const tokensOf = (which: number): string[] => slice.grid.provenance.prompts[which]?.tokens ?? [];
  const owns = tokensOf(alignment.shown);
  const others = tokensOf(1 - alignment.shown);
  const free = useMemo(() => unmatched(source, others.length), [source, others.length]);

  // A token that moved by a key keeps the focus, wherever it is now.
  useLayoutEffect(() => {
    const { current: token } = held;
    held.current = null;
    const root = strip.current?.parentElement;
    if (token !== null) root?.querySelector<HTMLElement>(`[data-token="${token}"]`)?.focus();
  }, [source]);

  const send = async (next: Source | null): Promise<void> => {
    if (!next) return announce("Tokens keep their order, and one at least must meet another");
    setSent(next);
    if (!(await order("align", { source: next }))) setSent(null);
  };
  const positionAt = (x: number): number => {
    const left = strip.current?.getBoundingClientRect().left ?? 0;
    return Math.floor((x - left + scrollX) / cellWidth);
  };
  const onKeyDown = (event: KeyboardEvent, token: number): void => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key] as 1 | -1 | undefined;
    if (!by && event.key !== "Delete") return;
    event.preventDefault();
    held.current = token;
    void send(placed(source, token, by ? stepped(source, token, by) : null));
  };

  const chip = (
    token: number,
    kind: string,
    style: { left?: string; width?: string },
  ): JSX.Element => {
    const at = source.indexOf(token);
    const meets = at < 0 ? "meets none" : `meets ${own} ${at} ${tokenGlyphs(owns[at] ?? "", LONG)}`;
    const label = `${name} ${token} ${tokenGlyphs(others[token] ?? "", LONG)} ${meets}`;
    const dragged = drag?.token === token;
    return (
      <button
        type="button"
        key={token}
        data-token={token}
        class={`hs-meet ${kind}`}
        aria-label={label}
        title={label}
        disabled={!live}
        style={dragged ? { ...style, translate: `${drag.dx}px ${drag.dy}px`, zIndex: 1 } : style}
        onKeyDown={(event) => onKeyDown(event, token)}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          const { clientX: fromX, clientY: fromY } = event;
          setDrag({ token, fromX, fromY, dx: 0, dy: 0, position: at < 0 ? null : at });
        }}
        onPointerMove={({ clientX, clientY }) => {
          if (!dragged) return;
          const dx = clientX - drag.fromX;
          const dy = clientY - drag.fromY;
          const away = at >= 0 && Math.abs(dy) > AWAY;
          setDrag({ ...drag, dx, dy, position: away ? null : positionAt(clientX) });
        }}
        onPointerUp={() => {
          setDrag(null);
          if (dragged && (drag.dx || drag.dy) && drag.position !== (at < 0 ? null : at)) {
            void send(target);
          }
        }}
        onPointerCancel={() => setDrag(null)}
      >
        {tokenGlyphs(others[token] ?? "")}
      </button>
    );
  };

  const over = (column: number) => ({
    left: px(column * cellWidth - scrollX),
    width: px(cellWidth - 2),
  });
  const { first, end } = layout
    ? visibleSpan(scrollX, layout.width, cellWidth, layout.columns)
    : { first: 0, end: owns.length };
  const chips: JSX.Element[] = [];
  for (let column = first; column < end && cellWidth >= MARK_FROM; column++) {
    const style = over(column);
    const token = source[column] ?? -1;
    const differs = others[token] !== owns[column];
    if (token >= 0) chips.push(chip(token, differs ? "hs-differs" : "", style));
    else
      chips.push(
        <span key={`none ${column}`} class="hs-meet hs-unmet" title="Meets no token" style={style}>
          –
        </span>,
      );
  }
  const rowOf = (
    title: string | undefined,
    style: Record<string, string | number>,
    tokens: ComponentChildren,
  ) => (
    <div class="hs-strip" style={style}>
      <span class="hs-strip-name" style={{ width: px((layout?.left ?? ALONE.left) - 8) }}>
        {title}
      </span>
      {tokens}
    </div>
  );
  const right = layout && layout.contentHeight > layout.height ? 12 : 0;
  const met = rowOf(
    name,
    { top: px(layout ? layout.top - STRIP : STRIP), right: px(right) },
    <div ref={strip} class="hs-strip-tokens">
      {chips.length > 0 ? chips : <span class="hs-muted">Zoom in to see which tokens meet</span>}
      {drag && drag.position !== null && (
        <i class={target ? "hs-drop" : "hs-drop hs-crossing"} style={over(drag.position)} />
      )}
    </div>,
  );
  return (
    <>
      {layout ? (
        met
      ) : (
        <div class="hs-alone">
          <div style={{ width: px(ALONE.left + owns.length * ALONE.cell) }}>
            {rowOf(
              own,
              { top: 0, right: 0 },
              <div class="hs-strip-tokens">
                {owns.map((token, at) => (
                  <span class="hs-meet" key={at} title={token} style={over(at)}>
                    {tokenGlyphs(token)}
                  </span>
                ))}
              </div>,
            )}
            {met}
          </div>
        </div>
      )}
      <p class="hs-row hs-muted hs-strip-note">
        <span>
          {layout ? "Over the cells: which" : "Which"} {name} token meets each {own} token.{" "}
          {!fixed &&
            (live
              ? "Drag one, or focus it and press ←, → or Delete."
              : "Moving them needs a live kernel.")}
        </span>
        {free.length > 0 && <span>Without counterpart:</span>}
        {free.slice(0, MAX_UNMATCHED).map((token) => chip(token, "hs-free", {}))}
        {free.length > MAX_UNMATCHED && <span>and {free.length - MAX_UNMATCHED} more</span>}
        {alignment.given && live && (
          <Button
            label="Align automatically"
            title="Undo what was moved"
            onClick={() => void order("align", { source: null })}
          />
        )}
      </p>
    </>
  );
}
