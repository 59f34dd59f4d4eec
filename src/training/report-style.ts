/** The look of a report, in light and in dark. */
export const reportStyle: string = `
:root { color-scheme: light dark; --ground: #fbfaf8; --card: #ffffff; --text: #22252b; --soft: #6c7280; --line: #e6e4df;
  --curve: #b3541e; --raw: #e9b892; }
@media (prefers-color-scheme: dark) { :root { --ground: #16181c; --card: #1e2126; --text: #e8e6e1; --soft: #979ca8;
  --line: #31353d; --curve: #f0995b; --raw: #6e4a30; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; font-weight: 650; margin: 0 0 16px; }
h2 { font-size: 18px; font-weight: 600; margin: 40px 0 12px; }
.facts { display: flex; flex-wrap: wrap; gap: 10px 36px; margin: 0; }
dt { color: var(--soft); font-size: 13px; }
dd { margin: 0; font-size: 20px; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 520px), 1fr)); gap: 14px; }
figure { margin: 0 0 14px; padding: 14px 16px; background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  min-width: 0; }
.charts figure { margin: 0; }
figcaption { color: var(--soft); font-size: 13px; margin-bottom: 8px; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; }
svg path { fill: none; vector-effect: non-scaling-stroke; }
.grid { stroke: var(--line); }
.label { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
.raw { stroke: var(--raw); stroke-width: 1; }
.smooth { stroke: var(--curve); stroke-width: 2; stroke-linejoin: round; }
.mark { fill: var(--curve); stroke: var(--card); stroke-width: 2; }
.sheet { display: block; max-width: 100%; height: auto; border-radius: 4px; image-rendering: auto; }
table { border-collapse: collapse; width: 100%; background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  overflow: hidden; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 5px 14px; border-top: 1px solid var(--line);
  overflow-wrap: anywhere; }
tr:first-child > * { border-top: 0; }
th { font-weight: 500; color: var(--soft); width: 34%; }
`;
