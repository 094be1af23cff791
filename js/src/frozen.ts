// The entry of a saved page: finds the page's data and draws every widget in its place.
import { type FrozenWidget, frozenHost } from "./host/frozen";
import { errorInfo } from "./shell/error-box";
import { mount, mountError } from "./shell/mount";
import { islandsOfPage } from "./views/island";
import { WireError } from "./wire/decode";

interface FrozenPage {
  version: number;
  widgets: FrozenWidget[];
}

const PAGE_VERSION = 2;

function readPage(): FrozenPage {
  const page = JSON.parse(document.getElementById("headscope-data")?.textContent ?? "null");
  if (page?.version !== PAGE_VERSION) {
    throw new WireError(`This page holds no Headscope data of version ${PAGE_VERSION}.`);
  }
  return page;
}

let page: FrozenPage | undefined;
for (const place of document.querySelectorAll<HTMLElement>(".headscope-frozen")) {
  try {
    page ??= readPage();
    const widget = page.widgets[Number(place.dataset.index)];
    if (!widget) throw new WireError(`The page holds no widget ${place.dataset.index}.`);
    mount(place, frozenHost(widget), islandsOfPage());
  } catch (failure) {
    mountError(place, errorInfo(failure));
  }
}
