// Opens a widget in the page through its entry, with a kernel played by the test.
import { act } from "preact/test-utils";
import { vi } from "vitest";
import { island } from "../../src/islands/attention";
import { island as interventions } from "../../src/islands/interventions";
import type { Lend } from "../../src/views/island";
import entry from "../../src/widget";
import type { FakeModel } from "../host/fake-model";

const WIDTH = 800;

/** The one observer that a page without layout cannot offer: everything is 800 wide and in sight. */
class Seen {
  protected readonly isIntersecting: boolean = true;
  private readonly tell: (entries: object[]) => void;
  constructor(tell: (entries: object[]) => void) {
    this.tell = tell;
  }
  observe(): void {
    this.tell([{ contentRect: { width: WIDTH }, isIntersecting: this.isIntersecting }]);
  }
  disconnect(): void {}
}

class FarAway extends Seen {
  protected override readonly isIntersecting = false;
}

export interface Opened {
  root: ShadowRoot;
  find<E extends Element = HTMLElement>(selector: string): E;
  all(selector: string): HTMLElement[];
  button(name: string): HTMLButtonElement;
  close(): void;
}

const lend: Lend = async () => interventions;
const draw = () => Promise.reject(new Error("There is no other widget."));

export async function open(fake: FakeModel, inSight = true): Promise<Opened> {
  vi.stubGlobal("ResizeObserver", Seen);
  vi.stubGlobal("IntersectionObserver", inSight ? Seen : FarAway);
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(WIDTH);
  const el = document.createElement("div");
  document.body.append(el);
  let cleanup = (): void => {};
  await act(() => {
    cleanup = entry.initialize().render({ model: fake.model, el, view: island, draw, lend });
  });
  return opened(el, cleanup);
}

export function opened(el: HTMLElement, cleanup: () => void): Opened {
  const root = el.querySelector(".headscope")?.shadowRoot;
  if (!root) throw new Error("Nothing was mounted.");
  const find = <E extends Element>(selector: string): E => {
    const found = root.querySelector<E>(selector);
    if (!found) throw new Error(`There is no ${selector}.`);
    return found;
  };
  const all = (selector: string): HTMLElement[] => [
    ...root.querySelectorAll<HTMLElement>(selector),
  ];
  return {
    root,
    find,
    all,
    button(name) {
      const named = all("button").find(
        (b) => b.textContent === name || b.getAttribute("aria-label") === name,
      );
      if (!(named instanceof HTMLButtonElement)) throw new Error(`There is no button ${name}.`);
      return named;
    },
    close() {
      cleanup();
      el.remove();
    },
  };
}

/** Runs what the passing of `ms` brings about. */
export async function wait(ms: number): Promise<void> {
  await act(async () => {
    await vi.advanceTimersByTimeAsync(ms);
  });
}

export async function type(
  box: HTMLTextAreaElement | HTMLInputElement,
  text: string,
): Promise<void> {
  await act(() => {
    box.value = text;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

export async function press(
  target: Element,
  key: string,
  init: KeyboardEventInit = {},
): Promise<Event> {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init });
  await act(() => {
    target.dispatchEvent(event);
  });
  return event;
}
