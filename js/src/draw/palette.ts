// The fixed colours of a drawing, per theme. Scenes are also exported, so they hold literal
// colours and no CSS variables; the shell's design tokens take these same values.
import type { Theme } from "./colour";

export interface Palette {
  /** What lies behind everything, and the neutral end or centre of every ramp. */
  paper: string;
  text: string;
  muted: string;
  /** Ticks, rules, borders. */
  rule: string;
  /** Between neighbouring cells. */
  hairline: string;
  /** Crosshair and cursor. */
  accent: string;
  /** What is pinned: apart from every colour of the ramps. */
  pin: string;
  /** Lines of a chart, in order. Okabe and Ito's set, adjusted for contrast on `paper`. */
  series: readonly string[];
}

const PALETTES: Record<Theme, Palette> = {
  light: {
    paper: "#ffffff",
    text: "#1b1f24",
    muted: "#5b6470",
    rule: "#d5d9de",
    hairline: "#e6e9ec",
    accent: "#3a4350",
    pin: "#c2410c",
    series: [
      "#0072b2",
      "#d55e00",
      "#00805f",
      "#a8518a",
      "#8a6d00",
      "#2f97cf",
      "#5b6470",
      "#7b3fb3",
    ],
  },
  dark: {
    paper: "#111418",
    text: "#e6e9ed",
    muted: "#98a2ae",
    rule: "#343b44",
    hairline: "#262c33",
    accent: "#cfd6de",
    pin: "#ff9d4d",
    series: [
      "#56b4e9",
      "#ff9440",
      "#2fc79f",
      "#e08fc2",
      "#f0d84a",
      "#4c8fff",
      "#aab3bd",
      "#b990ee",
    ],
  },
};

export const palette = (theme: Theme): Palette => PALETTES[theme];
