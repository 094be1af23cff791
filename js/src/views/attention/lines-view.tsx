// dest and src tokens as two columns, weights as lines between them, one colour per head.
import type { JSX } from "preact";
import { useMemo, useRef } from "preact/hooks";
import type { Theme } from "../../draw/colour";
import { formatNumber } from "../../draw/text";
import { strongLines, tokenLines } from "./lines";
import {
  type DrawnHead,
  HEADER,
  LEAST_SHARE,
  linesLayout,
  linesOverlay,
  linesScene,
  MAX_LINES,
  ROW,
  type Side,
  sideAt,
} from "./lines-scene";
import type { Matrix } from "./matrix";
import { useSameList } from "./same-list";
import { type CanvasHandle, type Pane, ScrollCanvas } from "./scroll-canvas";
import type { Tip } from "./tooltip";

export interface LinesHead {
  title: string;
  colour: string;
  matrix: Matrix;
  /** The value with full opacity. */
  high: number;
}

export interface LinesViewProps {
  heads: readonly LinesHead[];
  glyphs: readonly string[];
  quantity: string;
  /** Whether values may be below 0. */
  signed: boolean;
  /** Least value of a line, as a share of its head's `high`. */
  threshold: number;
  pinned: Side | null;
  theme: Theme;
  width: number;
  height: number;
  tip: Tip;
  announce(text: string): void;
  onPin(side: Side | null): void;
}

export function LinesView(props: LinesViewProps): JSX.Element {
  const { heads, glyphs, threshold, pinned, theme, width, tip } = props;
  const handle = useRef<CanvasHandle | null>(null);
  const hover = useRef<Side | null>(null);
  const layout = useMemo(() => linesLayout(glyphs, width), [glyphs, width]);
  const matrices = useSameList(heads.map(({ matrix }) => matrix));
  const colours = useSameList(heads.map(({ colour }) => colour));
  const highs = useSameList(heads.map(({ high }) => high));
  const strong = useMemo(
    () => matrices.map((matrix, h) => strongLines(matrix, threshold * (highs[h] ?? 0))),
    [matrices, threshold, highs],
  );
  const spec = useMemo(() => {
    const drawn = strong.map((lines, h) => ({
      lines,
      colour: colours[h] ?? "",
      high: highs[h] ?? 0,
    }));
    return { layout, glyphs, theme, heads: drawn };
  }, [layout, glyphs, theme, strong, colours, highs]);
  const base = useMemo(() => (pane: Pane) => linesScene(spec, pane), [spec]);
  const total = strong.reduce((sum, { value }) => sum + value.length, 0);

  const linesOf = ({ side, token }: Side): DrawnHead[] =>
    heads.map(({ matrix, colour, high }) => ({
      colour,
      high,
      lines: tokenLines(matrix, token, side === "dest" ? "src" : "dest", high * LEAST_SHARE),
    }));
  const describe = (at: Side): string[] => {
    const ends = at.side === "dest" ? "src" : "dest";
    return [
      `${at.side} ${at.token} ${glyphs[at.token] ?? ""}`,
      ...linesOf(at).map(({ lines }, h) => {
        const other = (ends === "src" ? lines.src : lines.dest)[0];
        if (other === undefined) return `${heads[h]?.title}: nothing strong enough to draw`;
        const value = formatNumber(lines.value[0] ?? 0);
        return `${heads[h]?.title}: most ${at.side === "dest" ? "to" : "from"} ${other} ${glyphs[other] ?? ""}, ${value}`;
      }),
    ];
  };
  const focus = (): Side | null => hover.current ?? pinned;
  const move = (side: Side): void => {
    hover.current = side;
    const canvas = handle.current;
    if (canvas) {
      const y = HEADER + side.token * ROW - canvas.pane().y;
      canvas.reveal({ x: 0, y, width: 1, height: ROW }, 0, HEADER);
      canvas.repaint();
    }
    props.announce(describe(side).join(", "));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const at: Side = focus() ?? { side: "dest", token: layout.n - 1 };
    if (event.key === "ArrowUp") move({ ...at, token: Math.max(0, at.token - 1) });
    else if (event.key === "ArrowDown")
      move({ ...at, token: Math.min(layout.n - 1, at.token + 1) });
    else if (event.key === "ArrowLeft") move({ ...at, side: "dest" });
    else if (event.key === "ArrowRight") move({ ...at, side: "src" });
    else if (event.key === "Enter" || event.key === " ") props.onPin(at);
    else if (event.key === "Escape") {
      hover.current = null;
      props.onPin(null);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const size = props.signed ? `|${props.quantity}|` : props.quantity;
  const [high = 0] = highs;
  const least = highs.every((other) => other === high)
    ? `${formatNumber(threshold * high)} (full opacity at ${formatNumber(high)})`
    : `${threshold} of each head's largest`;
  return (
    <>
      <ScrollCanvas
        label="Lines from dest tokens on the left to src tokens on the right. Arrow keys move, Enter pins a token, Escape clears."
        width={width}
        height={Math.min(props.height, layout.height)}
        contentWidth={1}
        contentHeight={layout.height}
        handle={handle}
        base={base}
        overlay={(pane) => {
          const at = focus();
          return linesOverlay({ ...spec, heads: at ? linesOf(at) : [] }, at, pane);
        }}
        onPoint={(point, pane) => {
          const at = point && sideAt(layout, pane, point.x, point.y);
          hover.current = at;
          if (point && at) tip.show(point.clientX, point.clientY, describe(at));
          else tip.hide();
        }}
        onClick={(point, pane) => {
          const at = sideAt(layout, pane, point.x, point.y);
          const same = at && pinned && at.side === pinned.side && at.token === pinned.token;
          if (at) props.onPin(same ? null : at);
        }}
        onKeyDown={onKeyDown}
      />
      <p class="hs-att-note">
        {total === 0
          ? "No weight reaches the threshold. A hovered or pinned token shows weaker ones too."
          : `${total.toLocaleString("en")} lines with ${size} ≥ ${least}.` +
            (props.signed ? " Dashed: below 0." : "") +
            (total > MAX_LINES ? ` At most the strongest ${MAX_LINES} in sight are drawn.` : "") +
            " A hovered or pinned token shows its weaker ones too."}
      </p>
    </>
  );
}
