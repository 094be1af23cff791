// The tooltip: filled and moved by hand, so that a pointer move renders nothing. In the browser's
// top layer, so that a notebook's scrolling output never cuts it off.
import type { JSX } from "preact";
import { useMemo, useRef } from "preact/hooks";

export interface Tip {
  /** First line bold. Positions are those of the browser's window. */
  show(clientX: number, clientY: number, lines: readonly string[]): void;
  hide(): void;
}

const OFFSET = 14;

export function useTooltip(): { tip: Tip; element: JSX.Element } {
  const box = useRef<HTMLDivElement>(null);
  const tip = useMemo<Tip>(() => {
    let open = false;
    return {
      show(clientX, clientY, lines) {
        const { current: node } = box;
        if (!node) return;
        fill(node, lines);
        if (!open) node.showPopover();
        open = true;
        const { offsetWidth, offsetHeight } = node;
        node.style.left = `${beside(clientX, offsetWidth, window.innerWidth)}px`;
        node.style.top = `${beside(clientY, offsetHeight, window.innerHeight)}px`;
      },
      hide() {
        if (open) box.current?.hidePopover();
        open = false;
      },
    };
  }, []);
  return { tip, element: <div ref={box} popover="manual" class="hs-att-tip" aria-hidden="true" /> };
}

function fill(node: HTMLElement, lines: readonly string[]): void {
  while (node.childElementCount < lines.length) node.append(document.createElement("div"));
  while (node.childElementCount > lines.length) node.lastElementChild?.remove();
  Array.from(node.children).forEach((line, i) => {
    if (line.textContent !== lines[i]) line.textContent = lines[i] ?? "";
  });
}

/** After the pointer, or before it where there is no room after it. */
export function beside(at: number, size: number, room: number): number {
  if (at + OFFSET + size <= room) return at + OFFSET;
  return Math.max(0, at - OFFSET - size);
}
