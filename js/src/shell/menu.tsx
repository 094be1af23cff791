// A menu behind a button: arrow keys go round, Escape and leaving close it.
import type { JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

export interface MenuItem {
  title: string;
  /** Why it cannot be chosen. */
  reason?: string | undefined;
  choose(): void;
}

interface MenuProps {
  /** On the button. */
  label: string;
  items: readonly MenuItem[];
}

const STEPS: Record<string, (at: number, count: number) => number> = {
  ArrowDown: (at, count) => (at + 1) % count,
  ArrowUp: (at, count) => (at + count - 1) % count,
  Home: () => 0,
  End: (_, count) => count - 1,
};

export function Menu({ label, items }: MenuProps): JSX.Element {
  const id = useId();
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const entries = (): HTMLElement[] => [...(list.current?.children ?? [])] as HTMLElement[];
  useEffect(() => {
    if (open) entries()[0]?.focus();
  }, [open]);
  const close = (): void => {
    setOpen(false);
    button.current?.focus();
  };

  const keyDown = (event: KeyboardEvent): void => {
    const at = entries().indexOf(event.target as HTMLElement);
    const step = STEPS[event.key];
    if (step) entries()[step(at, items.length)]?.focus();
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const left = ({ currentTarget, relatedTarget }: FocusEvent): void => {
    if (!(currentTarget as Node).contains(relatedTarget as Node | null)) setOpen(false);
  };

  return (
    <div class="hs-menu" onFocusOut={left}>
      <button
        ref={button}
        type="button"
        class="hs-button"
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => setOpen(!open)}
      >
        {label} <span aria-hidden="true">▾</span>
      </button>
      {open && (
        <div
          ref={list}
          id={id}
          class="hs-menu-list"
          role="menu"
          aria-label={label}
          onKeyDown={keyDown}
        >
          {items.map(({ title, reason, choose }) => (
            <button
              key={title}
              type="button"
              role="menuitem"
              tabIndex={-1}
              aria-disabled={reason !== undefined}
              onClick={() => {
                if (reason !== undefined) return;
                close();
                choose();
              }}
            >
              {title}
              {reason && <span class="hs-muted"> {reason}</span>}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
