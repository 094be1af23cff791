// The entry of pages without a kernel: unpacks every widget and draws it in its place, one after the other,
// so that the first can be used before the last is there. Outputs of a notebook that come later ask for it.
import { frozenHost } from "./host/frozen";
import { unpack } from "./host/packed";
import { errorInfo } from "./shell/error-box";
import { mount, mountError } from "./shell/mount";
import { hasView } from "./views";
import { borrowedOfPage, islandsOfPage } from "./views/island";

async function draw(place: HTMLElement): Promise<void> {
  try {
    const data = place.querySelector(".headscope-data")?.textContent ?? "";
    mount(place, frozenHost(await unpack(data), place.dataset.link), islandsOfPage(), {
      lend: borrowedOfPage,
    });
    const picture = place.parentElement?.querySelector<HTMLElement>(".headscope-picture");
    if (picture) picture.style.display = "none";
  } catch (failure) {
    mountError(place, errorInfo(failure));
  }
}

/** Whether it can be drawn now: its view may be on the way, and a live view may hide it. */
function ready(place: HTMLElement): boolean {
  const hidden = place.closest("[data-headscope]") !== null && place.getClientRects().length === 0;
  return !hidden && hasView(place.dataset.kind?.split(" ")[0], islandsOfPage());
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
