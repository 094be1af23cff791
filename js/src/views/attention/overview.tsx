// Every head as a thumbnail: choose, compare, sort and filter.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Theme } from "../../draw/colour";
import { formatNumber } from "../../draw/text";
import type { Patterns } from "../../wire/types";
import { headBadge } from "./badges";
import { type HeadRef, headLabel } from "./heads";
import type { AttentionOptions } from "./options";
import { passes, scoreOf, sortedHeads } from "./order";
import { flowLayout, gridLayout, headAt, neighbour, tileBox } from "./overview-layout";
import { overviewOverlay, overviewScene } from "./overview-scene";
import { type CanvasHandle, pixelRatio, ScrollCanvas } from "./scroll-canvas";
import { makeThumbnails } from "./thumbnails";
import type { Tip } from "./tooltip";

export interface OverviewProps {
  result: Patterns;
  options: AttentionOptions;
  enlarged: readonly HeadRef[];
  primary: HeadRef;
  live: boolean;
  /** Whether a head can be enlarged, which without a kernel not every one can. */
  usable(ref: HeadRef): boolean;
  theme: Theme;
  width: number;
  height: number;
  tip: Tip;
  announce(text: string): void;
  onChoose(ref: HeadRef, add: boolean): void;
}

export const KERNEL_NEEDED = "needs a live kernel";

export function Overview(props: OverviewProps): JSX.Element {
  const { result, options, enlarged, primary, live, usable, theme, width, tip } = props;
  const { weighting, perHead, sort, filter } = options;
  const handle = useRef<CanvasHandle | null>(null);
  const hover = useRef<HeadRef | null>(null);
  const [cursor, setCursor] = useState<HeadRef | null>(null);

  const layout = useMemo(() => {
    const heads = sortedHeads(result, sort);
    if (sort === "layer") return gridLayout(heads, result.n_layers, result.n_heads, width);
    return flowLayout(
      heads.filter((ref) => passes(result, filter, ref)),
      result.n_heads,
      width,
    );
  }, [result, sort, filter, width]);

  const devicePixels = Math.max(1, Math.floor(layout.tile * pixelRatio()));
  const thumbnail = useMemo(
    () => makeThumbnails(result, weighting, perHead, theme, devicePixels),
    [result, weighting, perHead, theme, devicePixels],
  );
  const base = useMemo(() => {
    const spec = {
      layout,
      theme,
      thumbnail,
      badge: (ref: HeadRef) => headBadge(result, ref, theme),
      faded: (ref: HeadRef) => !usable(ref) || !passes(result, filter, ref),
    };
    return (pane: Parameters<typeof overviewScene>[1]) => overviewScene(spec, pane);
  }, [layout, theme, thumbnail, result, filter, live]);

  const reveal = (ref: HeadRef): void => {
    const canvas = handle.current;
    const box = canvas && tileBox(layout, canvas.pane(), ref);
    if (box) canvas.reveal(box, layout.left, layout.top);
  };
  useEffect(() => reveal(primary), [primary.layer, primary.head, layout]);

  const choose = (ref: HeadRef, add: boolean): void => {
    if (usable(ref)) props.onChoose(ref, add);
    else props.announce(`${headLabel(ref)} ${KERNEL_NEEDED}.`);
  };
  const describe = (ref: HeadRef): string[] => [
    headLabel(ref),
    ...result.scores.map((score) => `${score.title} ${formatNumber(scoreOf(result, score, ref))}`),
    ...(usable(ref) ? [] : [`Enlarging it ${KERNEL_NEEDED}.`]),
  ];
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = cursor ?? primary;
    if (event.key === "Enter" || event.key === " ") {
      choose(at, event.key === " " || event.shiftKey || event.ctrlKey || event.metaKey);
    } else if (event.key === "Escape") {
      setCursor(null);
    } else if (/^(Arrow|Home$|End$)/.test(event.key)) {
      const next = neighbour(layout, at, event.key);
      setCursor(next);
      reveal(next);
      const names = result.scores.map(
        (s) => `${s.title} ${formatNumber(scoreOf(result, s, next), 2)}`,
      );
      props.announce([headLabel(next), ...names].join(", "));
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <ScrollCanvas
      label="Heads. Arrow keys move, Enter enlarges a head, Space adds it beside the others."
      width={width}
      height={Math.min(props.height, layout.height + (layout.width > width ? SCROLLBAR : 0))}
      contentWidth={layout.width}
      contentHeight={layout.height}
      handle={handle}
      base={base}
      overlay={(pane) =>
        overviewOverlay(layout, theme, { enlarged, primary, hover: hover.current, cursor }, pane)
      }
      onPoint={(point, pane) => {
        const ref = point && headAt(layout, pane, point.x, point.y);
        hover.current = ref;
        if (point && ref) tip.show(point.clientX, point.clientY, describe(ref));
        else tip.hide();
      }}
      onClick={(point, pane, event) => {
        const ref = headAt(layout, pane, point.x, point.y);
        if (!ref) return;
        setCursor(null);
        choose(ref, event.shiftKey || event.ctrlKey || event.metaKey);
      }}
      onKeyDown={onKeyDown}
      onBlur={() => setCursor(null)}
    />
  );
}

/** Room for a horizontal scroll bar, so that it does not cause a vertical one. */
const SCROLLBAR = 12;

/** How many heads pass the filter. */
export function passingCount(result: Patterns, options: AttentionOptions): number {
  return sortedHeads(result, "layer").filter((ref) => passes(result, options.filter, ref)).length;
}
