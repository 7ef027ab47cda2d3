// How a head map's parts look, inside of its panel.

export const SHEET = `
  .all { padding: 4px 6px; }
  .kinds { display: flex; flex-wrap: wrap; gap: 3px; margin: 0 0 4px; }
  .kinds button { padding: 1px 6px 1px 3px; display: inline-flex; align-items: center; gap: 4px; }
  .kinds button[aria-pressed=true] { outline: 2px solid var(--hf-focus); }
  .sign { min-width: 15px; text-align: center; border-radius: 2px; font-weight: 600; }
  .map { width: fit-content; max-width: 100%; touch-action: none; cursor: crosshair; }
  .map.fixed { cursor: default; }
  canvas { display: block; }
  .said { height: 5.6em; overflow: auto; margin: 4px 0 0; white-space: pre-line; overflow-wrap: anywhere; }
  .quiet { color: var(--hf-text); }
  .wrong { border-left: 3px solid #e5484d; padding-left: 6px; }
  .note, .pairs { margin: 3px 0; overflow-wrap: anywhere; }
  .pairs { min-height: 2.8em; }
  [hidden] { display: none !important; }
`
