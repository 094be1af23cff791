// The panel of interventions.
import { Interventions, interventionsCss } from "../interventions/panel";
import { bind } from "../lend/borrowed";
import type { Panel } from "../views/island";

export const island: Panel = {
  kind: "interventions",
  bind,
  panel: Interventions,
  css: interventionsCss,
};
