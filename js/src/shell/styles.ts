// Design tokens and the classes of the shell and its controls. Each view root is a shadow root:
// nothing of the page's CSS gets in, except JupyterLab's choice of fonts. Colours are those of the
// drawings, so that a canvas has no visible edge and contrast does not depend on the page.

import type { Theme } from "../draw/colour";
import { type Palette, palette } from "../draw/palette";

const STATUS = {
  light: {
    error: "#b3261e",
    errorBg: "#fdf1f0",
    warn: "#8a5300",
    subtle: "#f3f5f7",
    field: "#ffffff",
    focus: "#0b63c5",
    accentBg: "#e7f0fa",
    onAccent: "#ffffff",
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
    onAccent: "#0b1a2a",
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
  --hs-crosshair: ${p.accent};
  --hs-subtle: ${s.subtle};
  --hs-field: ${s.field};
  --hs-accent: ${s.link};
  --hs-accent-bg: ${s.accentBg};
  --hs-on-accent: ${s.onAccent};
  --hs-focus: ${s.focus};
  --hs-error: ${s.error};
  --hs-error-bg: ${s.errorBg};
  --hs-warn: ${s.warn};`;
}

export const shellCss = `
:host { all: initial; display: block; }
.hs-root {
  --hs-sans: var(--jp-ui-font-family, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif);
  --hs-mono: var(--jp-code-font-family, ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace);
  --hs-small: 11px;
  --hs-size: 13px;
  --hs-gap: 8px;
  --hs-radius: 4px;
  --hs-control: 24px;
  box-sizing: border-box;
  position: relative;
  max-width: 100%;
  padding: 8px 10px 6px;
  background: var(--hs-bg);
  color: var(--hs-ink);
  font: 400 var(--hs-size)/1.4 var(--hs-sans);
  -webkit-text-size-adjust: 100%;
}
.hs-root[data-theme="light"] {${tokens("light")} }
.hs-root[data-theme="dark"] {${tokens("dark")} }
.hs-root *, .hs-root *::before, .hs-root *::after { box-sizing: border-box; }
.hs-root :focus { outline: none; }
.hs-root :focus-visible { outline: 2px solid var(--hs-focus); outline-offset: 1px; }
.hs-muted { color: var(--hs-muted); }
.hs-mono { font-family: var(--hs-mono); font-variant-ligatures: none; }
.hs-row { display: flex; flex-wrap: wrap; align-items: center; gap: 4px var(--hs-gap); }
.hs-toolbar { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 14px; margin: 6px 0; }
.hs-spacer { flex: 1 1 0; }
.hs-hidden { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.hs-control { display: inline-flex; align-items: center; gap: 6px; min-height: var(--hs-control); }
.hs-label { color: var(--hs-muted); font-size: 12px; white-space: nowrap; }
.hs-button, .hs-select, .hs-input {
  height: var(--hs-control);
  margin: 0;
  padding: 0 8px;
  border: 1px solid var(--hs-line);
  border-radius: var(--hs-radius);
  background: var(--hs-field);
  color: var(--hs-ink);
  font: 400 12px/1 var(--hs-sans);
}
.hs-button { display: inline-flex; align-items: center; gap: 5px; white-space: nowrap; cursor: pointer; }
.hs-button:hover:not(:disabled) { border-color: var(--hs-muted); background: var(--hs-subtle); }
.hs-button[aria-pressed="true"] { border-color: var(--hs-accent); background: var(--hs-accent-bg); color: var(--hs-accent); }
.hs-button:disabled, .hs-select:disabled, .hs-input:disabled {
  border-color: var(--hs-line); cursor: not-allowed; color: var(--hs-muted); background: var(--hs-subtle); opacity: 1;
}
.hs-select { padding: 0 2px 0 6px; max-width: 40ch; }
.hs-input::placeholder { color: var(--hs-muted); opacity: 1; }
.hs-number { font-variant-numeric: tabular-nums; }
.hs-toggle { gap: 5px; font-size: 12px; cursor: pointer; }
.hs-toggle:has(:disabled) { color: var(--hs-muted); cursor: not-allowed; }
.hs-toggle input { margin: 0; accent-color: var(--hs-accent); }
.hs-segmented { display: inline-flex; flex-wrap: wrap; gap: 1px; border: 1px solid var(--hs-line); border-radius: var(--hs-radius); background: var(--hs-line); }
.hs-segment { position: relative; display: inline-flex; flex: 1 0 auto; background: var(--hs-field); border-radius: 3px; }
.hs-segment input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: pointer; }
.hs-segment span { flex: 1; padding: 0 8px; text-align: center; border-radius: 3px; font-size: 12px; line-height: calc(var(--hs-control) - 2px); white-space: nowrap; }
.hs-segment input:hover:not(:disabled, :checked) + span { background: var(--hs-subtle); }
.hs-segment input:checked + span { background: var(--hs-accent-bg); color: var(--hs-accent); font-weight: 600; }
.hs-segment input:disabled { cursor: not-allowed; }
.hs-segment input:disabled + span { color: var(--hs-muted); }
.hs-segment input:checked:disabled + span { background: var(--hs-line); color: var(--hs-ink); }
.hs-segment input:focus-visible + span { outline: 2px solid var(--hs-focus); outline-offset: 1px; }

/* One token, wherever it appears as text. Isolated, so that right-to-left text keeps to itself. */
.hs-token {
  display: inline-block;
  max-width: 100%;
  padding: 0 3px;
  border: 1px solid var(--hs-line);
  border-radius: 3px;
  background: var(--hs-field);
  color: var(--hs-ink);
  font: 400 12px/18px var(--hs-mono);
  font-variant-ligatures: none;
  white-space: pre;
  unicode-bidi: isolate;
  overflow: hidden;
  text-overflow: ellipsis;
  vertical-align: top;
}
.hs-tip {
  position: absolute;
  z-index: 10;
  max-width: 340px;
  padding: 5px 8px;
  border: 1px solid var(--hs-line);
  border-radius: var(--hs-radius);
  background: var(--hs-field);
  color: var(--hs-ink);
  font-size: 12px;
  box-shadow: 0 2px 8px rgb(0 0 0 / 0.18);
  pointer-events: none;
}
.hs-table { border-collapse: collapse; font-size: 12px; font-variant-numeric: tabular-nums; }
.hs-table th { color: var(--hs-muted); font-weight: 500; text-align: left; }
.hs-table th, .hs-table td { padding: 1px 12px 1px 0; vertical-align: top; }
.hs-bar { display: inline-block; height: 8px; border-radius: 1px; background: var(--hs-accent); }
.hs-head { min-height: 26px; }
.hs-badge, .hs-status { margin-left: auto; }
.hs-title { margin: 0; font-size: 13px; font-weight: 600; }
.hs-title .hs-muted { font-weight: 400; font-size: 12px; }
.hs-badge { padding: 1px 8px; border: 1px solid var(--hs-line); border-radius: 10px; color: var(--hs-muted); font-size: 11px; }
.hs-status { display: inline-flex; align-items: center; gap: 8px; font-size: 12px; font-variant-numeric: tabular-nums; }
.hs-status progress { width: 110px; height: 6px; appearance: none; border: 0; border-radius: 3px; background: var(--hs-line); overflow: hidden; }
.hs-status progress::-webkit-progress-bar { background: var(--hs-line); }
.hs-status progress::-webkit-progress-value { background: var(--hs-accent); }
.hs-status progress::-moz-progress-bar { background: var(--hs-accent); }

.hs-prompt { margin: 4px 0; }
.hs-prompt-text {
  display: block;
  width: 100%;
  margin: 0;
  padding: 5px 8px;
  border: 1px solid var(--hs-line);
  border-radius: var(--hs-radius);
  background: var(--hs-field);
  color: var(--hs-ink);
  font: 400 13px/1.45 var(--hs-mono);
  field-sizing: content;
  max-height: 9.5em;
  resize: vertical;
}
.hs-prompt-text:focus-visible { border-color: var(--hs-focus); outline-offset: -1px; }
.hs-prompt-text:disabled { background: var(--hs-subtle); color: var(--hs-ink); opacity: 1; resize: none; cursor: not-allowed; -webkit-text-fill-color: currentColor; }
.hs-prompt-text[aria-invalid="true"], .hs-input[aria-invalid="true"] { border-color: var(--hs-error); }
.hs-prompt-tokens { flex-wrap: nowrap; align-items: flex-start; margin-top: 4px; }
.hs-tokens { flex: 1 1 auto; display: flex; flex-wrap: wrap; gap: 2px; min-width: 0; max-height: 62px; margin: 0; padding: 1px; overflow-y: auto; list-style: none; }
.hs-tokens li { display: flex; max-width: 100%; }
.hs-count { flex: none; color: var(--hs-muted); font-size: 11px; line-height: 20px; font-variant-numeric: tabular-nums; }
.hs-over, .hs-refused { color: var(--hs-error); }
.hs-refused { margin: 0; font-size: 12px; }
.hs-prompt .hs-refused { margin-top: 4px; }

.hs-next { gap: 4px; margin: 4px 0; }
.hs-next .hs-label { margin-right: 4px; }
.hs-next li { display: flex; max-width: 100%; }
.hs-next-list { display: contents; list-style: none; }
.hs-next-token { position: relative; max-width: 100%; overflow: hidden; padding-bottom: 2px; }
.hs-next-text { font-family: var(--hs-mono); white-space: pre; unicode-bidi: isolate; overflow: hidden; text-overflow: ellipsis; }
.hs-next-share { color: var(--hs-muted); font-size: 11px; font-variant-numeric: tabular-nums; }
.hs-next-bar { position: absolute; left: 0; bottom: 0; height: 3px; background: var(--hs-accent); }
.hs-button[aria-disabled="true"] { cursor: default; }
.hs-button[aria-disabled="true"] .hs-next-bar, .hs-next-token:disabled .hs-next-bar { background: var(--hs-muted); transition: background-color 0s 150ms; }

.hs-error { margin: 6px 0; padding: 6px 10px; border-left: 3px solid var(--hs-error); border-radius: 2px; background: var(--hs-error-bg); font-size: 12px; overflow-wrap: anywhere; }
.hs-error strong { color: var(--hs-error); font-weight: 600; }
.hs-hint { margin: 2px 0 0; font-family: var(--hs-mono); }
/* In a place that is empty otherwise, so that an edit moves nothing. */
.hs-previous { flex: 1 1 0; min-width: 18ch; overflow: hidden; color: var(--hs-warn); font-size: 12px; white-space: nowrap; text-overflow: ellipsis; }
.hs-stage { position: relative; min-width: 0; margin: 6px 0; }
.hs-outdated { opacity: 0.5; transition: opacity 0s 150ms; }
.hs-empty { margin: 20px 0; color: var(--hs-muted); }
.hs-unseen { height: 240px; }
/* A computation that is over at once shows no trace of having run. */
.hs-late { animation: hs-late 150ms step-end; }
@keyframes hs-late { from { visibility: hidden; } }

.hs-provenance { font-size: 12px; overflow-wrap: anywhere; }
.hs-provenance summary { padding: 1px 0; cursor: pointer; }
.hs-provenance .hs-table { margin: 4px 0 4px 14px; }
.hs-provenance th { white-space: nowrap; }
.hs-ids { display: flex; flex-wrap: wrap; gap: 3px 10px; margin: 4px 0 4px 14px; padding: 0; max-height: 120px; overflow-y: auto; list-style: none; }
@media (prefers-reduced-motion: no-preference) {
  .hs-button, .hs-segment span { transition: background-color 80ms, border-color 80ms; }
}
`;
