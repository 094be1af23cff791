// The graph on the page: a canvas with all of it, and one above with what follows the pointer. A gesture
// moves the painted picture and repaints it when it comes to rest, so that large graphs follow too.
import type { JSX, TargetedKeyboardEvent, TargetedPointerEvent } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { paint } from "../../draw/canvas";
import type { Theme } from "../../draw/colour";
import { visible } from "../../state/tokens";
import { Button } from "../parts/controls";
import { Tooltip } from "../parts/tooltip";
import { ItemCard } from "./card";
import { EdgeCard } from "./edge-card";
import type { Picture } from "./groups";
import { FOOT, GUTTER, type Layout, movedLayout } from "./layout";
import { drawnLinks, linkAt, radiusOf, type View } from "./links";
import { edgesOf } from "./model";
import { overlayScene } from "./overlay";
import { anchorAt, anchorOf, type Point, place } from "./pointer";
import { baseScene } from "./scene";
import { fitView, itemAt, itemsInside, reveal, zoomView } from "./view";
import { ARROWS, type Arrow, nextLink, topItem, walk } from "./walk";
import { describe, describeLink, type Naming, ranked } from "./words";

export interface ViewportProps {
  naming: Naming;
  picture: Picture;
  layout: Layout;
  theme: Theme;
  width: number;
  pinned: ReadonlySet<string>;
  selected: ReadonlySet<number>;
  /** The item that the keyboard is on; -1 for none. */
  cursor: number;
  /** The selected link; -1 for none. */
  link: number;
  onCursor(item: number): void;
  onPin(item: number): void;
  onSelect(items: readonly number[], add: boolean): void;
  onLink(link: number): void;
  /** An item was dragged by so much, in the layout's pixels. */
  onMove(item: number, dx: number, dy: number): void;
  onKey(event: KeyboardEvent): void;
  announce(text: string): void;
}

type Gesture =
  | { kind: "pan"; from: Point; view: View; moved: boolean }
  | { kind: "item"; from: Point; item: number; moved: boolean; add: boolean }
  | { kind: "lasso"; points: Point[] };

/** The canvases are described by what holds them. */
const UNSPOKEN = { "aria-hidden": true } as const;
const HEIGHT = { least: 180, most: 620 };
const REST_MS = 90;
/** Up to so many links a gesture repaints at once. */
const LIGHT = 1_500;
const MOVED = 4;
/** How near to a link counts as on it. */
const NEAR_LINK = 5;
const CARD_WIDTH = 330;
const CARD_LINKS = 5;
const ZOOM = 1.3;

export function Viewport(props: ViewportProps): JSX.Element {
  const { naming, picture, layout, theme, width, pinned, selected, cursor, link } = props;
  const shrunk = Math.min(1, (width - GUTTER) / (layout.width - GUTTER));
  const whole = (layout.height - FOOT) * shrunk + FOOT;
  const height = Math.round(Math.min(HEIGHT.most, Math.max(HEIGHT.least, whole)));
  const size = { width, height };
  const base = useRef<HTMLCanvasElement>(null);
  const over = useRef<HTMLCanvasElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const gesture = useRef<Gesture | null>(null);
  const [chosen, setChosen] = useState<View | null>(null);
  const view = chosen ?? fitView(layout, size);
  const [painted, setPainted] = useState(view);
  const [hover, setHover] = useState(-1);
  const [onLink, setOnLink] = useState<{ link: number; at: Point } | null>(null);
  const [focused, setFocused] = useState(false);
  const [drag, setDrag] = useState<{ item: number; dx: number; dy: number } | null>(null);
  const [lasso, setLasso] = useState<readonly Point[]>([]);
  const links = useMemo(() => drawnLinks(picture), [picture]);
  const { x, y, k } = view;

  useEffect(() => {
    if (links.length <= LIGHT || !chosen) return setPainted(view);
    const timer = setTimeout(() => setPainted(view), REST_MS);
    return () => clearTimeout(timer);
  }, [x, y, k, links]);
  const shown = links.length <= LIGHT || !chosen ? view : painted;

  const scene = useMemo(
    () =>
      baseScene({ picture, layout, naming, look: { theme, ...size, view: shown } }, links, pinned),
    [picture, layout, naming, theme, width, height, shown.x, shown.y, shown.k, links, pinned],
  );
  useLayoutEffect(() => {
    if (base.current) paint(base.current, scene, window.devicePixelRatio);
  }, [scene]);

  const current = drag?.item ?? (hover >= 0 ? hover : focused ? cursor : -1);
  const own = useMemo(() => {
    const all = current < 0 ? [] : [picture.incoming, picture.outgoing];
    return all.flatMap((ends) => ranked(picture, edgesOf(ends, current)).slice(0, 60));
  }, [picture, current]);
  useLayoutEffect(() => {
    if (!over.current) return;
    const moved = drag ? movedLayout(layout, drag) : layout;
    const drawn = { picture, layout: moved, naming, look: { theme, ...size, view } };
    const hovered = onLink?.link ?? -1;
    const focus = focused && current === cursor;
    const highlight = { item: current, focus, selected, lasso, hovered, link };
    paint(over.current, overlayScene(drawn, own, highlight), window.devicePixelRatio);
  }, [
    picture,
    layout,
    naming,
    theme,
    width,
    height,
    x,
    y,
    k,
    own,
    current,
    focused,
    selected,
    lasso,
    drag,
    onLink?.link,
    link,
  ]);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    // Only with a key held: the page keeps its scrolling. Preact's own listener could not prevent.
    const onWheel = (event: WheelEvent): void => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const at = place(element, event);
      const factor = Math.exp(-event.deltaY * 0.0025);
      setChosen((was) => zoomView(was ?? fitView(layout, size), factor, at.x, at.y));
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [layout, width, height]);

  const reach = radiusOf(layout, k) + 5;
  const under = ({ x, y }: Point): number =>
    y > height - FOOT ? -1 : itemAt(layout, view, x, y, reach);
  const linkUnder = ({ x, y }: Point): number =>
    y > height - FOOT || x < GUTTER ? -1 : linkAt(picture, layout, view, links, x, y, NEAR_LINK);

  function onPointerDown(event: TargetedPointerEvent<HTMLDivElement>): void {
    if (event.button !== 0) return;
    const from = place(event.currentTarget, event);
    const item = under(from);
    setOnLink(null);
    event.currentTarget.setPointerCapture?.(event.pointerId);
    if (item >= 0)
      gesture.current = { kind: "item", from, item, moved: false, add: event.shiftKey };
    else if (event.shiftKey) gesture.current = { kind: "lasso", points: [from] };
    else gesture.current = { kind: "pan", from, view, moved: false };
  }

  function onPointerMove(event: TargetedPointerEvent<HTMLDivElement>): void {
    const at = place(event.currentTarget, event);
    const now = gesture.current;
    if (!now) look(at);
    else if (now.kind === "lasso") {
      now.points.push(at);
      setLasso([...now.points]);
    } else follow(now, at);
  }

  function look(at: Point): void {
    const item = under(at);
    const over = item >= 0 ? -1 : linkUnder(at);
    setHover(item);
    setOnLink((was) => (over < 0 ? null : was?.link === over ? was : { link: over, at }));
  }

  function follow(now: Exclude<Gesture, { kind: "lasso" }>, at: Point): void {
    const dx = at.x - now.from.x;
    const dy = at.y - now.from.y;
    now.moved ||= Math.hypot(dx, dy) > MOVED;
    if (!now.moved) return;
    if (now.kind === "pan") setChosen({ ...now.view, x: now.view.x + dx, y: now.view.y + dy });
    else setDrag({ item: now.item, dx: dx / k, dy: dy / k });
  }

  function onPointerUp(event: TargetedPointerEvent<HTMLDivElement>): void {
    const now = gesture.current;
    gesture.current = null;
    setLasso([]);
    setDrag(null);
    if (now?.kind === "lasso") props.onSelect(itemsInside(layout, view, now.points), true);
    if (now?.kind === "pan" && !now.moved) {
      const over = linkUnder(place(event.currentTarget, event));
      if (over >= 0) goTo(over);
      else props.onSelect([], false);
    }
    if (now?.kind !== "item") return;
    if (now.moved) {
      if (drag) props.onMove(drag.item, drag.dx, drag.dy);
    } else if (now.add) props.onSelect([now.item], true);
    else {
      props.onCursor(now.item);
      props.onPin(now.item);
    }
  }

  function cancel(): void {
    gesture.current = null;
    setLasso([]);
    setDrag(null);
    setHover(-1);
    setOnLink(null);
  }

  function goTo(next: number): void {
    props.onLink(next);
    if (next >= 0) props.announce(describeLink(naming, picture, next));
  }

  function go(item: number): void {
    props.onCursor(item);
    setHover(-1);
    const shownItem = picture.items[item];
    if (shownItem) props.announce(describe(naming, shownItem));
    setChosen((was) => {
      const from = was ?? fitView(layout, size);
      const to = reveal(from, layout.x[item] ?? 0, layout.y[item] ?? 0, size);
      return to === from ? was : to;
    });
  }

  function onKeyDown(event: TargetedKeyboardEvent<HTMLDivElement>): void {
    const { key } = event;
    if (event.altKey) return;
    const plain = !event.ctrlKey && !event.metaKey;
    if (plain && (ARROWS as readonly string[]).includes(key)) {
      event.preventDefault();
      const next = cursor < 0 ? topItem(layout) : walk(picture, layout, cursor, key as Arrow);
      if (next >= 0) go(next);
      else props.announce("Nothing further that way");
    } else if (plain && (key === "Enter" || key === " ") && cursor >= 0) {
      event.preventDefault();
      if (key === "Enter") props.onPin(cursor);
      else props.onSelect([cursor], true);
    } else if (plain && key.toLowerCase() === "e") {
      event.preventDefault();
      const item = cursor < 0 ? topItem(layout) : cursor;
      if (cursor < 0) props.onCursor(item);
      goTo(nextLink(picture, item, link, event.shiftKey ? -1 : 1));
    } else if (plain && (key === "+" || key === "=")) zoom(ZOOM);
    else if (plain && key === "-") zoom(1 / ZOOM);
    else if (plain && key === "0") setChosen(null);
    else {
      if (key === "Escape") cancel();
      props.onKey(event);
    }
  }

  const zoom = (factor: number): void =>
    setChosen(zoomView(view, factor, width / 2, (height - FOOT) / 2));

  const ratio = k / shown.k;
  const pending = `translate(${x - shown.x * ratio}px, ${y - shown.y * ratio}px) scale(${ratio})`;
  const carded = gesture.current === null && hover >= 0 ? hover : -1;
  const hovered = gesture.current === null && carded < 0 ? onLink : null;
  return (
    <div class="hs-graph-window">
      <div
        ref={box}
        class={current >= 0 ? "hs-graph-canvas hs-graph-dim" : "hs-graph-canvas"}
        style={{ height: `${height}px`, cursor: hover >= 0 || onLink ? "pointer" : "grab" }}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys walk on it
        tabIndex={0}
        role="application"
        aria-roledescription="graph"
        aria-label={`${visible(naming.graph.result.title)}: ${picture.items.length} nodes. Up follows the strongest output, down the strongest input, left and right the row; E steps through a node's edges, Enter pins, Space selects, slash searches.`}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerUp}
        onPointerCancel={cancel}
        onPointerLeave={() => !gesture.current && cancel()}
        onKeyDown={onKeyDown}
        onFocus={(event) => setFocused(event.currentTarget.matches(":focus-visible"))}
        onBlur={() => setFocused(false)}
      >
        <canvas
          ref={base}
          {...UNSPOKEN}
          style={shown === view ? undefined : { transform: pending, transformOrigin: "0 0" }}
        />
        <canvas ref={over} {...UNSPOKEN} />
      </div>
      <div class="hs-graph-zoom">
        <Button label="Zoom in" onClick={() => zoom(ZOOM)}>
          +
        </Button>
        <Button label="Zoom out" onClick={() => zoom(1 / ZOOM)}>
          −
        </Button>
        <Button
          label="Fit"
          title="Show all of it"
          disabled={!chosen}
          onClick={() => setChosen(null)}
        />
      </div>
      <Tooltip
        anchor={
          hovered
            ? anchorAt(box.current, hovered.at)
            : carded < 0
              ? null
              : anchorOf(box.current, layout, view, carded)
        }
        width={CARD_WIDTH}
      >
        {carded >= 0 && (
          <ItemCard naming={naming} picture={picture} item={carded} most={CARD_LINKS} />
        )}
        {hovered && <EdgeCard naming={naming} picture={picture} link={hovered.link} />}
      </Tooltip>
    </div>
  );
}
