// The prompt as text, tokens coloured by what one of them attends to, or by what attends to it.
import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { Ramp } from "../../draw/colour";
import { formatNumber } from "../../draw/text";
import { isMasked, type Matrix, said, valueAt } from "./matrix";
import type { Direction } from "./options";
import type { Tip } from "./tooltip";
import { outdoes } from "./weighting";

export interface TextViewProps {
  title: string;
  matrix: Matrix;
  tokens: readonly string[];
  glyphs: readonly string[];
  direction: Direction;
  pinned: number | null;
  ramp: Ramp;
  quantity: string;
  tip: Tip;
  announce(text: string): void;
  onPin(token: number | null): void;
}

const MASKED = "masked";

export function TextView(props: TextViewProps): JSX.Element {
  const { matrix, tokens, glyphs, direction, pinned, ramp, tip } = props;
  const root = useRef<HTMLDivElement>(null);
  const status = useRef<HTMLParagraphElement>(null);
  const painted = useRef<number | null>(null);
  /** What every token looks like, so that a hover writes only what changes. */
  const looks = useRef<string[]>([]);

  const cellOf = (focus: number, other: number): { dest: number; src: number } =>
    direction === "src" ? { dest: focus, src: other } : { dest: other, src: focus };

  const paint = (token: number | null): void => {
    const focus = token ?? matrix.n - 1;
    painted.current = focus;
    const spans = root.current?.querySelectorAll<HTMLElement>("[data-token]") ?? [];
    spans.forEach((span, other) => {
      const { dest, src } = cellOf(focus, other);
      const masked = isMasked(matrix, dest, src);
      const value = masked ? 0 : valueAt(matrix, dest, src);
      const look = masked ? MASKED : ramp.css(value);
      span.classList.toggle("hs-att-focus", other === focus);
      if (looks.current[other] === look) return;
      looks.current[other] = look;
      span.classList.toggle("hs-att-after", masked);
      span.style.backgroundColor = masked ? "" : look;
      span.style.color = masked ? "" : ramp.ink(value);
    });
    if (status.current) status.current.textContent = sentence(focus, token === null);
  };
  const sentence = (focus: number, byDefault: boolean): string => {
    const who = `${focus} “${glyphs[focus] ?? ""}”`;
    const what =
      direction === "src" ? `What token ${who} attends to` : `What attends to token ${who}`;
    const why =
      pinned === focus ? " (pinned)" : byDefault ? " (the last; hover or click another)" : "";
    return what + why;
  };
  const shown = (): number => painted.current ?? matrix.n - 1;

  useLayoutEffect(() => {
    looks.current = [];
  }, [glyphs]);
  useLayoutEffect(() => paint(pinned), [matrix, direction, pinned, ramp, glyphs]);

  const tokenOf = (event: Event): number | null => {
    const found = event.target instanceof Element ? event.target.closest("[data-token]") : null;
    return found instanceof HTMLElement ? Number(found.dataset.token) : null;
  };
  const describe = (focus: number, other: number): string => {
    const { dest, src } = cellOf(focus, other);
    return said(matrix, dest, src, props.quantity);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (step) {
      const next = Math.max(0, Math.min(matrix.n - 1, shown() + step));
      paint(next);
      props.announce(`${sentence(next, false)}. Strongest: ${strongest(next)}`);
    } else if (event.key === "Enter" || event.key === " ") props.onPin(shown());
    else if (event.key === "Escape") {
      tip.hide();
      props.onPin(null);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const strongest = (focus: number): string => {
    let best = focus;
    let most = Number.NaN;
    for (let other = 0; other < matrix.n; other++) {
      const { dest, src } = cellOf(focus, other);
      const value = valueAt(matrix, dest, src);
      if (outdoes(value, most)) [best, most] = [other, value];
    }
    return `${best} ${glyphs[best] ?? ""}, ${formatNumber(most)}`;
  };

  const spans = useMemo(
    () =>
      tokens.map((token, i) => [
        <span key={i} class="hs-att-token" data-token={i}>
          {glyphs[i]}
        </span>,
        token.endsWith("\n") ? <br /> : null,
      ]),
    [tokens, glyphs],
  );
  return (
    <div class="hs-att-textview">
      <p class="hs-att-status" ref={status} />
      <div
        ref={root}
        class="hs-att-text"
        role="application"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: an application takes the arrow keys
        tabIndex={0}
        data-lm-suppress-shortcuts="true"
        aria-label={`${props.title}: tokens. Arrow keys move, Enter pins a token, Escape clears.`}
        onPointerMove={(event) => {
          const token = tokenOf(event);
          if (token === null) return tip.hide();
          if (pinned === null && token !== painted.current) paint(token);
          const focus = shown();
          const { dest, src } = cellOf(focus, token);
          tip.show(event.clientX, event.clientY, [
            `${token} ${glyphs[token] ?? ""}`,
            ...(focus === token && pinned === null ? [] : [`dest ${dest} → src ${src}`]),
            describe(focus, token),
          ]);
        }}
        onPointerLeave={() => {
          tip.hide();
          paint(pinned);
        }}
        onClick={(event) => {
          const token = tokenOf(event);
          tip.hide();
          if (token !== null) props.onPin(token === pinned ? null : token);
        }}
        onKeyDown={onKeyDown}
      >
        {spans}
      </div>
    </div>
  );
}
