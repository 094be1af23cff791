// Two widgets and what they differ by: one choice of what is shown, one colour scale.
import type { JSX } from "preact";
import type { Host, Share } from "../host/contract";
import { Toggle } from "../views/parts/controls";
import type { ViewOptions } from "../wire/types";

export const COMPARE = "Compare";

/** The pane of the difference, which may be on a scale of its own. */
const DIFFERENCE = "difference";
const OWN_SCALE = "own_scale";

/** What is chosen once for all panes; a pinned cell or a tracked token is a widget's own. */
const SHARED = /^(scales$|attention_|heatmap_(measure|chosen|upward|zoom|table)$)/;

const pick = (from: ViewOptions, shared: boolean): ViewOptions =>
  Object.fromEntries(Object.entries(from).filter(([name]) => SHARED.test(name) === shared));

/** What the widget in a pane shares with the others, by way of the host that holds them. */
export function shareOf(host: Host, pane: string): Share {
  let view: ViewOptions | null = null;
  let options: ViewOptions = {};
  return {
    options() {
      if (view !== host.state.view) {
        view = host.state.view;
        options = pick(view, true);
        if (pane === DIFFERENCE && view[OWN_SCALE]) delete options.scales;
      }
      return options;
    },
    take(patch) {
      const shared = pick(patch, true);
      if (Object.keys(shared).length > 0) host.setView(shared);
      return pick(patch, false);
    },
    subscribe: host.subscribe,
  };
}

export function CompareHead({ host, own }: { host: Host; own: boolean }): JSX.Element {
  return (
    <header class="hs-row">
      <h2 class="hs-title">
        Compare{" "}
        <span class="hs-muted">
          {own ? "two on one colour scale, their difference on its own" : "on one colour scale"}
        </span>
      </h2>
      <span class="hs-spacer" />
      <Toggle
        label="Difference on its own scale"
        title="Off: the same length of the scale is the same amount in all three."
        checked={own}
        onChange={(checked) => host.setView({ [OWN_SCALE]: checked })}
      />
    </header>
  );
}

export const isOwn = (view: ViewOptions): boolean => view[OWN_SCALE] === true;
