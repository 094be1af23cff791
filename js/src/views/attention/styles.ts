// CSS of the attention view, on the shell's design tokens.
export const attentionCss = `
.hs-att { position: relative; }
.hs-att p { margin: 4px 0; }
.hs-att-body { display: grid; grid-template-columns: minmax(0, 1fr); gap: 12px 20px; align-items: start; }
.hs-att[data-wide="true"] .hs-att-body { grid-template-columns: auto minmax(0, 1fr); grid-template-rows: auto 1fr; }
.hs-att[data-wide="true"] .hs-att-detail { grid-column: 2; grid-row: 1 / span 2; }
.hs-att-detail .hs-toolbar { margin-top: 0; }
.hs-att-scroll { position: relative; overflow: auto; scrollbar-width: thin; overscroll-behavior: contain; cursor: crosshair; touch-action: pan-x pan-y; }
.hs-att-sticky { position: sticky; top: 0; left: 0; width: 0; height: 0; }
.hs-att-sticky canvas { position: absolute; top: 0; left: 0; display: block; max-width: none; }
.hs-att-panels { display: flex; flex-wrap: wrap; align-items: flex-start; }
.hs-att-panel { margin: 0; }
.hs-att-panel figcaption { margin-bottom: 4px; }
.hs-att-panel .hs-button { min-width: var(--hs-control); justify-content: center; }
.hs-att-dot { display: inline-block; width: 9px; height: 9px; border-radius: 2px; }
.hs-att-number { font-variant-numeric: tabular-nums; font-size: 12px; white-space: nowrap; }
.hs-att-note { color: var(--hs-muted); font-size: 12px; }
.hs-att-legend { display: flex; flex-wrap: wrap; align-items: center; gap: 2px 8px; margin: 4px 0; font-size: 12px; }
.hs-att-ramp { width: 96px; height: 10px; border: 1px solid var(--hs-line); border-radius: 2px; }
.hs-att-swatch { display: inline-block; width: 14px; height: 10px; border: 1px solid var(--hs-line); vertical-align: -1px; }
.hs-att-badges, .hs-att-heads { display: flex; flex-wrap: wrap; gap: 3px 12px; margin: 4px 0; padding: 0; list-style: none; font-size: 12px; }
.hs-att-heads li { display: inline-flex; align-items: center; gap: 5px; }
.hs-att-badge { display: inline-block; padding: 0 4px; margin-right: 5px; border-radius: 2px; font-size: 11px; font-weight: 600; line-height: 15px; }
.hs-att-empty { display: flex; flex-direction: column; align-items: center; justify-content: center; gap: 8px; padding: 4px 12px; border: 1px dashed var(--hs-line); border-radius: var(--hs-radius); color: var(--hs-muted); font-size: 12px; text-align: center; }
.hs-att-status { min-height: 1.4em; font-size: 12px; }
.hs-att-text { max-height: 520px; overflow: auto; padding: 6px; border: 1px solid var(--hs-line); border-radius: var(--hs-radius); line-height: 24px; contain: content; cursor: pointer; }
.hs-att-token { display: inline-block; max-width: 100%; margin: 0 1px 1px 0; padding: 0 2px; border: 1px solid transparent; border-radius: 3px; overflow: hidden; text-overflow: ellipsis; vertical-align: top; white-space: pre; unicode-bidi: isolate; font: 400 13px/20px var(--hs-mono); font-variant-ligatures: none; }
.hs-att-token.hs-att-focus { border-color: var(--hs-pin); box-shadow: 0 0 0 1px var(--hs-pin); }
.hs-att-after { color: var(--hs-muted); background: var(--hs-subtle); }
.hs-att-masked { background: repeating-linear-gradient(135deg, transparent 0 4px, var(--hs-line) 4px 5px), var(--hs-subtle); }
.hs-att-slider { width: 110px; margin: 0; accent-color: var(--hs-accent); }
.hs-att table { display: block; max-width: 100%; margin-top: 12px; overflow-x: auto; }
.hs-att caption { padding-bottom: 4px; text-align: left; font-weight: 600; white-space: nowrap; }
.hs-att-scores .hs-table { margin-top: 0; }
.hs-att-scores td { white-space: nowrap; }
.hs-att-score { color: var(--hs-ink); }
.hs-att-sources tr[aria-current] td { border-top: 1px solid var(--hs-pin); border-bottom: 1px solid var(--hs-pin); }
.hs-att-track { display: inline-block; width: 48px; height: 8px; background: var(--hs-subtle); }
.hs-att-track .hs-bar { vertical-align: top; }
.hs-att-tip { position: fixed; inset: auto; width: max-content; max-width: 300px; margin: 0; padding: 5px 8px; border: 1px solid var(--hs-line); border-radius: var(--hs-radius); background: var(--hs-field); color: var(--hs-ink); font: 400 12px/1.4 var(--hs-sans); box-shadow: 0 2px 8px rgb(0 0 0 / 0.2); pointer-events: none; }
.hs-att-tip > :first-child { font-weight: 600; }
.hs-att-tip > div { overflow-wrap: anywhere; }
`;
