/**
 * How the HTML report looks: one column that fits a phone, light or dark as the reader's system is. Holds no content.
 */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1d1f23; --soft: #666b75; --line: #e3e5e9; --paper: #fdfdfc; --card: #f5f5f3;
  --good: #2a7d4f; --bad: #b3382c; --tint: #3b6fd4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e6; --soft: #9a9fa8; --line: #33363c; --paper: #17181b; --card: #202226;
  --good: #6cc493; --bad: #ef8a7d; --tint: #7fa6f2; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 68rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Noto Sans CJK SC', sans-serif; }
h1 { font-size: 1.7rem; font-weight: 650; letter-spacing: -.01em; margin: 0 0 .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; font-weight: 650; margin: 3rem 0 .6rem; }
h3 { font-size: 1rem; font-weight: 600; margin: 1.8rem 0 .5rem; }
p { margin: .4rem 0; }
.soft { color: var(--soft); }
.small { font-size: .86rem; }
.scroll { overflow-x: auto; margin: 0 -1rem; padding: 0 1rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; min-width: 60%; }
th { font-weight: 550; color: var(--soft); text-align: right; padding: .3rem .7rem; vertical-align: bottom; }
td { text-align: right; padding: .3rem .7rem; border-top: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; white-space: pre-wrap; min-width: 9rem; }
.share { background: linear-gradient(to right, color-mix(in srgb, var(--tint) 55%, transparent) var(--of), transparent var(--of))
  left .7rem bottom / calc(100% - 1.4rem) 3px no-repeat; }
.met { color: var(--good); } .missed { color: var(--bad); font-weight: 600; }
td.open { color: var(--soft); }
.met::before { content: '✓ '; } .missed::before { content: '✗ '; }
.lead { font-size: 1.05rem; }
dl { display: grid; grid-template-columns: minmax(7rem, auto) 1fr; gap: .35rem 1rem; font-size: .9rem; }
dt { font-weight: 550; } dd { margin: 0; color: var(--soft); }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 1rem; }
figure { margin: 0; background: var(--card); border-radius: .6rem; overflow: hidden; }
figure img { display: block; width: 100%; aspect-ratio: 1; }
figcaption { padding: .5rem .65rem .6rem; font-size: .82rem; line-height: 1.35; }
figcaption span { display: block; color: var(--soft); margin-top: .2rem; }
code { font: .84rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
pre { background: var(--card); border-radius: .5rem; padding: .7rem .9rem; white-space: pre-wrap; margin: .5rem 0; }
details { margin: .9rem 0; } summary { cursor: pointer; font-weight: 600; margin-bottom: .3rem; }
@media (max-width: 36rem) { th, td { padding: .3rem .4rem; } .grid { grid-template-columns: 1fr 1fr; gap: .7rem; } }
`;
