// The entry of pages without a kernel: unpacks every widget and draws it in its place, one after the other,
// so that the first can be used before the last is there. Outputs of a notebook that come later ask for it.
import type { Host } from "./host/contract";
import { frozenHost } from "./host/frozen";
import { unpack } from "./host/packed";
import { sharing } from "./host/sharing";
import { errorInfo } from "./shell/error-box";
import { type DrawPart, frameOfPage } from "./shell/frame";
import { mount, mountError, mountFrame } from "./shell/mount";
import { hasView } from "./views";
import { borrowedOfPage, islandsOfPage, lentOnPage } from "./views/island";

/** What draws it; panels come behind. */
const kindOf = (place: HTMLElement): string | undefined => place.dataset.kind?.split(" ")[0];

/** Parts of a widget that holds others, in the order of its panes' references. */
const partsOf = (place: HTMLElement): HTMLElement[] => [
  ...place.querySelectorAll<HTMLElement>(":scope > .headscope-part"),
];

async function hostOf(place: HTMLElement): Promise<Host> {
  const data = place.querySelector(":scope > .headscope-data")?.textContent ?? "";
  return frozenHost(await unpack(data), place.dataset.link);
}

/** Draws the widgets in panes, each unpacked when it is first seen. */
function inPanes(parts: readonly HTMLElement[]): DrawPart {
  const hosts = new Map<HTMLElement, Promise<Host>>();
  return (widget, element, share) => {
    const part = parts[Number(widget)];
    let remove = (): void => {};
    let wanted = true;
    const drawn = async (): Promise<void> => {
      if (!part) throw new Error("This view is not in the page.");
      const unpacked = hosts.get(part) ?? hostOf(part);
      hosts.set(part, unpacked);
      const found = await unpacked;
      const embedded = share ? "prompted" : true;
      const host = share ? sharing(found, share) : found;
      if (wanted) remove = mount(element, host, islandsOfPage(), { embedded });
    };
    drawn().catch((failure: unknown) => {
      remove = mountError(element, errorInfo(failure));
    });
    return () => {
      wanted = false;
      remove();
    };
  };
}

async function draw(place: HTMLElement): Promise<void> {
  try {
    const host = await hostOf(place);
    const frame = kindOf(place) === "panes" && frameOfPage();
    if (frame) mountFrame(place, host, frame, inPanes(partsOf(place)), borrowedOfPage);
    else mount(place, host, islandsOfPage(), { lend: borrowedOfPage });
    const picture = place.parentElement?.querySelector<HTMLElement>(".headscope-picture");
    if (picture) picture.style.display = "none";
  } catch (failure) {
    mountError(place, errorInfo(failure));
  }
}

/** Whether it can be drawn now: its view may be on the way, and a live view may hide it. */
function ready(place: HTMLElement): boolean {
  const hidden = place.closest("[data-headscope]") !== null && place.getClientRects().length === 0;
  const all = [place, ...partsOf(place)];
  return !hidden && all.every((one) => hasView(kindOf(one), lentOnPage()));
}

async function drawAll(): Promise<void> {
  // The front end may be in a page more than once: what one has begun, the next leaves alone.
  const waiting = document.querySelectorAll<HTMLElement>(".headscope-frozen:not([data-begun])");
  const places = [...waiting].filter(ready);
  for (const place of places) place.dataset.begun = "";
  for (const place of places) await draw(place);
}

document.addEventListener("headscope", () => void drawAll());
void drawAll();
