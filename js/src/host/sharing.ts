// A host some of whose view options are not its own, but those of the widget that holds it.
import type { Host, HostState, Share } from "./contract";

const SHARE = Symbol.for("headscope.share");
type Place = HTMLElement & { [SHARE]?: Share };

/** Lays `share` down where a widget is about to be drawn. */
export function layDown(place: Place, share: Share): void {
  place[SHARE] = share;
}

export const laidDown = (place: Place): Share | undefined => place[SHARE];

export function sharing(host: Host, share: Share): Host {
  let from: { state: HostState; options: object } | null = null;
  let merged = host.state;
  return {
    ...host,
    get live() {
      return host.live;
    },
    get state() {
      const { state } = host;
      const options = share.options();
      if (from?.state !== state || from.options !== options) {
        from = { state, options };
        merged = { ...state, view: { ...state.view, ...options } };
      }
      return merged;
    },
    subscribe(listener) {
      const ends = [host.subscribe(listener), share.subscribe(listener)];
      return () => {
        for (const end of ends) end();
      };
    },
    setView(patch) {
      const rest = share.take(patch);
      if (Object.keys(rest).length > 0) host.setView(rest);
    },
  };
}
