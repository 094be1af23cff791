// The entry of a saved page: unpacks every widget and draws it in its place, one after the other, so that
// the first can be used before the last is there.
import { frozenHost } from "./host/frozen";
import { unpack } from "./host/packed";
import { errorInfo } from "./shell/error-box";
import { mount, mountError } from "./shell/mount";
import { islandsOfPage } from "./views/island";

async function draw(place: HTMLElement): Promise<void> {
  try {
    const data = place.querySelector(".headscope-data")?.textContent ?? "";
    mount(place, frozenHost(await unpack(data), place.dataset.link), islandsOfPage());
  } catch (failure) {
    mountError(place, errorInfo(failure));
  }
}

// The front end may be in a page more than once: what one has begun, the next leaves alone.
const places = [...document.querySelectorAll<HTMLElement>(".headscope-frozen:not([data-begun])")];
for (const place of places) place.dataset.begun = "";
void places.reduce((before, place) => before.then(() => draw(place)), Promise.resolve());
