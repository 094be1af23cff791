// Classes of the heatmap view, on the shell's design tokens.
export const heatmapCss = `
.hs-canvas { display: block; }
.hs-heatmap { display: flex; flex-direction: column; gap: 8px; min-width: 0; }
.hs-heatmap p { margin: 0; }
.hs-heatmap .hs-toolbar { gap: 6px 10px; margin: 0; }
.hs-heatmap-tools { margin-left: auto; }
.hs-zoom { display: inline-flex; gap: 4px; margin: 0; padding: 0; border: 0; min-width: 0; }
.hs-heatmap-hint { font-size: 12px; }
.hs-identity { font-size: 12px; }
.hs-identity summary { cursor: pointer; }
.hs-equation { display: block; margin-left: 14px; font-variant-numeric: tabular-nums; }
.hs-identity .hs-sums { margin: 6px 0 2px 14px; }
.hs-heatmap-viewport { position: relative; }
.hs-heatmap-scroller { overflow: auto; overscroll-behavior-x: contain; cursor: crosshair; scrollbar-width: thin; }
.hs-heatmap-scroller:focus-visible { outline: 2px solid var(--hs-focus); outline-offset: 2px; }
.hs-heatmap-content { position: relative; overflow: clip; }
.hs-heatmap-pane { position: sticky; top: 0; left: 0; width: 0; height: 0; }
.hs-heatmap-pane canvas { position: absolute; top: 0; left: 0; max-width: none; pointer-events: none; }
.hs-heatmap-table { max-height: 420px; overflow: auto; }
.hs-heatmap-table td, .hs-heatmap-table th { white-space: nowrap; }
.hs-heatmap-table tbody th { position: sticky; left: 0; background: var(--hs-bg); }
.hs-heatmap-table thead th { position: sticky; top: 0; background: var(--hs-bg); white-space: pre; }

.hs-tooltip {
  position: fixed;
  margin: 0;
  padding: 8px 10px;
  border: 1px solid var(--hs-line);
  border-radius: 6px;
  background: var(--hs-field);
  color: var(--hs-ink);
  font: 400 12px/1.4 var(--hs-sans);
  box-shadow: 0 3px 12px rgb(0 0 0 / 0.22);
  pointer-events: none;
  contain: layout style;
  overflow: hidden;
}
.hs-tooltip:empty { display: none; }
.hs-card-head { display: flex; flex-wrap: wrap; gap: 2px 10px; font-weight: 600; }
.hs-card-head > span, .hs-tooltip > span { display: inline-flex; gap: 5px; min-width: 0; max-width: 100%; }
.hs-card-values { margin: 6px 0 0; }
.hs-card-values > div { display: flex; justify-content: space-between; gap: 12px; color: var(--hs-muted); }
.hs-card-values > .hs-current { color: var(--hs-ink); font-weight: 600; }
.hs-card-values dt, .hs-card-values dd { margin: 0; }
.hs-card-values dd { font-variant-numeric: tabular-nums; white-space: nowrap; }
.hs-swatch { display: inline-block; width: 9px; height: 9px; margin-right: 5px; border: 1px solid var(--hs-line); border-radius: 2px; }
.hs-card-top { display: grid; grid-template-columns: fit-content(130px) 1fr auto; gap: 2px 8px; align-items: center; margin: 7px 0 0; padding: 7px 0 0; border-top: 1px solid var(--hs-line); list-style: none; font-variant-numeric: tabular-nums; }
.hs-card-top li { display: contents; }
.hs-card-top li > :last-child { text-align: right; }
.hs-meter { display: block; height: 7px; border-radius: 1px; background: linear-gradient(var(--hs-accent), var(--hs-accent)) left / calc(100% * var(--share)) 100% no-repeat; }

.hs-legend { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 4px 16px; font-size: 12px; }
.hs-legend-bar { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 2px 8px; line-height: 14px; }
.hs-legend-text { flex: 1 1 260px; font-size: 11.5px; line-height: 1.4; max-width: 78ch; }
.hs-legend-missing { display: inline-flex; align-items: center; gap: 5px; }
.hs-missing { display: inline-block; width: 14px; height: 12px; border: 1px solid var(--hs-line); background: linear-gradient(to bottom right, transparent 47%, var(--hs-muted) 47% 53%, transparent 53%), var(--missing); }

.hs-panel { display: flex; flex-wrap: wrap; gap: 12px 24px; padding-top: 10px; border-top: 1px solid var(--hs-line); }
.hs-panel h4 { display: flex; flex-wrap: wrap; gap: 2px 8px; margin: 0 0 6px; font-size: 12px; font-weight: 600; }
.hs-panel-part { flex: 1 1 270px; min-width: 0; max-width: 100%; }
.hs-panel-beside { display: grid; grid-template-columns: 280px minmax(0, 1fr); }
.hs-top { display: grid; grid-template-columns: auto fit-content(150px) minmax(40px, 1fr) auto auto; gap: 1px 8px; align-items: center; margin: 0; padding: 0; list-style: none; font-size: 12px; font-variant-numeric: tabular-nums; max-height: 236px; overflow-y: auto; }
.hs-top li { display: contents; }
.hs-top-rank { color: var(--hs-muted); text-align: right; }
.hs-top-number { text-align: right; }
.hs-token-button { padding: 0; overflow: hidden; border: 0; background: none; font: inherit; cursor: pointer; max-width: 100%; text-align: left; }
.hs-token-button:hover .hs-token { border-color: var(--hs-accent); }
.hs-token-button[aria-pressed="true"] .hs-token { border-color: var(--hs-accent); background: var(--hs-accent-bg); }
.hs-token-button:disabled { cursor: default; }
.hs-track-form { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 10px; margin-bottom: 6px; }
.hs-track-form form { display: inline-flex; align-items: center; gap: 6px; }
.hs-charts { display: flex; flex-wrap: wrap; gap: 8px 16px; }
.hs-keys { display: flex; flex-wrap: wrap; gap: 3px 12px; margin: 0 0 4px; padding: 0; list-style: none; font-size: 12px; }
.hs-keys li { display: inline-flex; align-items: center; gap: 5px; }
.hs-key-line { display: inline-block; width: 16px; height: 3px; border-radius: 2px; }
.hs-sums { display: grid; grid-template-columns: minmax(0, max-content) minmax(60px, 1fr) auto; gap: 2px 10px; align-items: center; margin: 0; font-size: 12px; font-variant-numeric: tabular-nums; max-width: 560px; }
.hs-sums > div { display: contents; }
.hs-sums dt { margin: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.hs-sums dd { margin: 0; text-align: right; }
.hs-sums .hs-total > * { font-weight: 600; border-top: 1px solid var(--hs-line); padding-top: 2px; height: 100%; }
.hs-signed { position: relative; display: block; height: 10px; background: linear-gradient(var(--hs-line), var(--hs-line)) 50% / 1px 100% no-repeat; }
.hs-signed i { position: absolute; top: 1px; bottom: 1px; border-radius: 1px; }
`;
