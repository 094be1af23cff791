// Design tokens, and the shell's style sheet on them. Each view root is a shadow root: nothing of the
// page's CSS gets in, except JupyterLab's choice of fonts. Colours are those of the drawings, so that
// a canvas has no visible edge and contrast does not depend on the page.

import type { Theme } from "../draw/colour";
import { type Palette, palette } from "../draw/palette";
import sheet from "./shell.css?inline";

const STATUS = {
  light: {
    error: "#b3261e",
    errorBg: "#fdf1f0",
    warn: "#8a5300",
    subtle: "#f3f5f7",
    field: "#ffffff",
    focus: "#0b63c5",
    accentBg: "#e7f0fa",
    link: "#0b5cad",
  },
  dark: {
    error: "#ff9d94",
    errorBg: "#2d1917",
    warn: "#f0b45a",
    subtle: "#1b2026",
    field: "#161a1f",
    focus: "#6cb2ff",
    accentBg: "#1a2c40",
    link: "#7fbcff",
  },
} as const;

function tokens(theme: Theme): string {
  const p: Palette = palette(theme);
  const s = STATUS[theme];
  return `
  color-scheme: ${theme};
  --hs-bg: ${p.paper};
  --hs-ink: ${p.text};
  --hs-muted: ${p.muted};
  --hs-line: ${p.rule};
  --hs-pin: ${p.pin};
  --hs-subtle: ${s.subtle};
  --hs-field: ${s.field};
  --hs-accent: ${s.link};
  --hs-accent-bg: ${s.accentBg};
  --hs-focus: ${s.focus};
  --hs-error: ${s.error};
  --hs-error-bg: ${s.errorBg};
  --hs-warn: ${s.warn};`;
}

const themed = (theme: Theme): string => `.hs-root[data-theme="${theme}"] {${tokens(theme)} }`;

export const shellCss = sheet + themed("light") + themed("dark");
