// Other widgets in panes: side by side in columns whose dividers are dragged, or one below the other
// where there is little room. What is collapsed is not drawn.
import type { JSX } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import type { PaneSpec, ViewOptions } from "../wire/types";
import { COMPARE, CompareHead, isOwn, shareOf } from "./compare";
import { Divider } from "./divider";
import type { FrameProps } from "./frame";
import { useHost, useTheme, useWidth } from "./hooks";
import { liveTitle } from "./notes";
import { type DrawPane, Pane } from "./pane";
import sheet from "./panes.css?inline";
import {
  height,
  type Layout,
  LEAST_PAGE,
  LEAST_WIDTH,
  layoutOf,
  moved,
  placed,
  toggled,
  widened,
} from "./panes-layout";
import { useSight } from "./sight";
import { stepByKey, WorkspaceHead } from "./workspace";

export const panesCss = sheet;

/** A step of a divider by key, as a part of the width. */
const STEP = 0.02;

export function PanesFrame({ host, draw, lend }: FrameProps): JSX.Element {
  const state = useHost(host);
  const theme = useTheme();
  const root = useRef<HTMLDivElement>(null);
  const width = useKept(useWidth(root));
  const { columns } = layoutOf(state.view, state.panes);
  useSight(root, host, state.steps && width > 0 ? columns.join(";") : "");
  const compares = state.widget === COMPARE;
  const drawn = useMemo<DrawPane>(
    () => (pane, element) =>
      draw(pane.widget ?? "", element, compares ? shareOf(host, pane.name) : undefined),
    [draw, host, compares],
  );
  return (
    <article
      class="hs-root hs-panes-root"
      data-theme={theme}
      aria-label={state.widget}
      onKeyDown={(event) => state.steps && stepByKey(host, event)}
    >
      {state.prompt !== null && <WorkspaceHead host={host} state={state} lend={lend} />}
      {compares && <CompareHead host={host} own={isOwn(state.view)} />}
      <div ref={root}>
        {width > 0 && (
          <Panes
            panes={state.panes}
            options={state.view}
            setOptions={host.setView}
            width={width}
            draw={drawn}
            empty={liveTitle(host.live, "Waits for its turn")}
          />
        )}
      </div>
    </article>
  );
}

/** The width that there was last: the page may lose its layout for a moment, or be hidden. */
function useKept(width: number): number {
  const last = useRef(width);
  if (width > 0) last.current = width;
  return last.current;
}

interface PanesProps {
  panes: readonly PaneSpec[];
  options: ViewOptions;
  setOptions(patch: ViewOptions): void;
  width: number;
  draw: DrawPane;
  empty: string;
}

export function Panes({ panes, options, setOptions, width, draw, empty }: PanesProps): JSX.Element {
  const layout = layoutOf(options, panes);
  // Columns stay what they are: panes that were moved would be drawn anew, with all that is folded in.
  const narrow = width < Math.max(LEAST_PAGE, LEAST_WIDTH * layout.columns.length);
  /** Shares while a divider is dragged; the kernel hears of the last ones only. */
  const [dragged, setDragged] = useState<readonly number[] | null>(null);
  const shares = dragged ?? layout.shares;
  const [lifted, lift] = useState<string | null>(null);
  const least = LEAST_WIDTH / width / 2;

  const pane = (name: string): JSX.Element | null => {
    const found = panes.find((one) => one.name === name);
    if (!found) return null;
    const place = (columns: Layout["columns"]): void => {
      if (!narrow) setOptions({ columns });
      lift(null);
    };
    return (
      <Pane
        key={name}
        pane={found}
        open={!layout.collapsed.includes(name)}
        height={layout.heights[name]}
        draw={draw}
        empty={empty}
        lifted={lifted !== null && lifted !== name}
        onToggle={() => setOptions({ collapsed: toggled(layout.collapsed, name) })}
        onHeight={(pixels) => {
          const { [name]: _, ...others } = layout.heights;
          setOptions({
            heights: pixels === null ? others : { ...others, [name]: height(pixels) },
          });
        }}
        onMove={narrow ? undefined : (to) => place(moved(layout.columns, name, to))}
        onLift={narrow ? undefined : (up) => lift(up ? name : null)}
        onDrop={() => lifted !== null && place(placed(layout.columns, lifted, name))}
      />
    );
  };

  return (
    <div class={narrow ? "hs-panes hs-panes-stacked" : "hs-panes"}>
      {layout.columns.map((names, at) => [
        at > 0 && !narrow && (
          <Divider
            key={`before ${names[0]}`}
            label={`Width of ${titles(layout.columns[at - 1], panes)}`}
            value={shares[at - 1] ?? 0}
            onMove={(pixels, last) => {
              const next = widened(layout.shares, at - 1, pixels / width, least);
              setDragged(last ? null : next);
              if (last) setOptions({ shares: next });
            }}
            onStep={(steps) =>
              setOptions({ shares: widened(layout.shares, at - 1, steps * STEP, least) })
            }
            onReset={() => setOptions({ shares: shares.map(() => 1) })}
          />
        ),
        <div
          key={names[0]}
          class="hs-panes-column"
          style={
            narrow || names.every((name) => layout.collapsed.includes(name))
              ? { flex: "0 0 auto" }
              : { flex: `${shares[at]} ${shares[at]} 0` }
          }
        >
          {names.map(pane)}
        </div>,
      ])}
    </div>
  );
}

function titles(names: readonly string[] | undefined, panes: readonly PaneSpec[]): string {
  return panes
    .filter(({ name }) => names?.includes(name))
    .map(({ title }) => title)
    .join(", ");
}
