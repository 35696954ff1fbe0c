/**
 * The style sheet of a report: light and dark by the reader's choice, from a phone's width to a desk's.
 */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f6f4; --card: #fff; --ink: #1d2129; --quiet: #6a717d; --grid: #e9e9e6; --edge: #e3e3df;
  --good: #2f7d52; --warn: #a9611b;
  --c0: #3a6db5; --c1: #c8702a; --c2: #3b8a5b; --c3: #8358b0; --c4: #b94a56; --c5: #2c8791; --c6: #a07d22; --c7: #66738a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14161a; --card: #1c1f25; --ink: #e6e8ec; --quiet: #99a1ae; --grid: #2a2e36; --edge: #2c3038;
    --good: #74c896; --warn: #e5a565;
    --c0: #78a8ea; --c1: #eb9f63; --c2: #73c794; --c3: #b796e2; --c4: #e98490; --c5: #66c4ce; --c6: #d9b95c; --c7: #a5b1c4;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink); -webkit-text-size-adjust: 100%;
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', sans-serif;
}
main { max-width: 1180px; margin: 0 auto; padding: 40px 24px 56px; }
h1, h2, h3, p, ul, ol, figure, dl, dd { margin: 0; padding: 0; }
h1 { font-size: 30px; line-height: 1.2; letter-spacing: -.015em; font-weight: 650; overflow-wrap: anywhere; }
h2 { font-size: 17px; font-weight: 620; letter-spacing: -.005em; margin: 40px 0 14px; }
h2::first-letter, td.name::first-letter { text-transform: uppercase; }
h3 { font-size: 14px; font-weight: 600; }
b { font-weight: 600; font-variant-numeric: tabular-nums; }
.top { display: flex; flex-wrap: wrap; align-items: baseline; gap: 6px 14px; }
.top .versus { color: var(--quiet); font-size: 17px; }
.chip { font-size: 13px; font-weight: 600; color: var(--quiet); border: 1px solid; border-radius: 99px; padding: 1px 10px; }
.chip.done { color: var(--good); }
.chip.stopped { color: var(--warn); }
.about { color: var(--quiet); margin-top: 6px; overflow-wrap: anywhere; }
.key { display: inline-block; width: 16px; border-top: 3px solid var(--c); border-radius: 2px; vertical-align: 4px; margin-right: 7px; }
.key.dashed { border-top-style: dashed; border-radius: 0; }
.key.big { width: 12px; height: 12px; border: 0; border-radius: 4px; background: var(--c); vertical-align: 1px; }
.card, .chart, .tiles > div { background: var(--card); border: 1px solid var(--edge); border-radius: 12px; }
.card { padding: 16px 18px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(138px, 1fr)); gap: 12px; margin-top: 26px; }
.tiles > div { padding: 13px 16px 14px; }
.tiles dt { color: var(--quiet); font-size: 13px; }
.tiles dd { font-size: 21px; white-space: nowrap; line-height: 1.3; font-weight: 620; letter-spacing: -.01em; font-variant-numeric: tabular-nums; }
.tiles small { display: block; color: var(--quiet); font-size: 13px; line-height: 1.4; font-weight: 400; letter-spacing: 0; }
.notes { margin-top: 14px; display: grid; gap: 7px; font-size: 14px; overflow-wrap: anywhere; }
.notes li { list-style: none; }
.notes .no { display: inline-grid; place-items: center; min-width: 18px; height: 18px; padding: 0 4px; margin-right: 8px; border-radius: 9px; font-size: 11px; font-weight: 650; color: var(--card); background: var(--c); }
.notes .why { color: var(--warn); }
code { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); gap: 14px; }
.chart { padding: 13px 18px 12px 16px; min-width: 0; display: flex; flex-direction: column; }
.tiles + .charts, .notes + .charts { margin-top: 14px; }
.chart.wide { grid-column: 1 / -1; }
.chart figcaption { display: flex; justify-content: space-between; gap: 12px; }
.legend { display: flex; flex-wrap: wrap; gap: 1px 16px; margin-top: 4px; font-size: 12.5px; color: var(--quiet); }
.legend li { list-style: none; }
.legend b { color: var(--ink); margin-left: 6px; }
.chart small { color: var(--quiet); font-size: 12.5px; font-weight: 400; margin-right: 10px; }
.plot { position: relative; flex: 1; min-height: 194px; margin: 16px 0 0 46px; font-size: 11.5px; color: var(--quiet); font-variant-numeric: tabular-nums; }
.plot svg { position: absolute; inset: 0 0 22px; width: 100%; height: calc(100% - 22px); overflow: visible; }
.wide .plot { min-height: 292px; }
.y { position: absolute; inset: 0 auto 22px -46px; width: 38px; }
.y span { position: absolute; right: 0; transform: translateY(50%); line-height: 1; white-space: nowrap; }
.x { position: absolute; inset: auto 0 0; height: 14px; }
.x span { position: absolute; transform: translateX(-50%); line-height: 1; }
.mark { position: absolute; top: -9px; transform: translateX(-50%); min-width: 14px; height: 14px; border-radius: 7px; font-size: 9.5px; line-height: 14px; text-align: center; font-weight: 650; color: var(--card); background: var(--c); pointer-events: none; }
path { fill: none; vector-effect: non-scaling-stroke; stroke: var(--c); stroke-linejoin: round; stroke-linecap: round; }
path.grid { stroke: var(--grid); stroke-width: 1; }
path.change { stroke-width: 1; stroke-dasharray: 2 3; opacity: .8; }
path.raw { stroke-width: 1; opacity: .28; }
path.line { stroke-width: 1.9; }
path.dashed { stroke-dasharray: 5 4; }
path.dot { stroke-width: 5.5; }
path.best { stroke-width: 11; }
rect { fill: transparent; }
rect:hover { fill: var(--ink); fill-opacity: .05; }
.grids { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 460px), 1fr)); gap: 14px; align-items: start; }
.grids figcaption { font-size: 13px; margin-bottom: 9px; color: var(--quiet); }
.grids figcaption b { color: var(--ink); }
.grids img { display: block; width: 100%; height: auto; border-radius: 6px; background: #fff; }
.scroll { overflow-x: auto; padding: 0; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: 8px 18px; border-top: 1px solid var(--edge); vertical-align: top; }
tr:first-child > * { border-top: 0; }
th { color: var(--quiet); font-weight: 500; font-size: 13px; }
tr:not(:first-child) > th { padding-top: 22px; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td small { color: var(--quiet); margin-left: 8px; font-weight: 400; }
td.better { font-weight: 650; }
td.field { overflow-wrap: anywhere; min-width: 110px; }
details > summary { cursor: pointer; font-weight: 600; font-size: 14px; }
details + details { margin-top: 12px; }
pre { margin: 12px 0 0; overflow-x: auto; font: 12.5px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; }
footer { margin-top: 40px; color: var(--quiet); font-size: 13px; overflow-wrap: anywhere; }
@media (max-width: 560px) {
  main { padding: 24px 14px 40px; }
  h1 { font-size: 25px; }
  .tiles { grid-template-columns: 1fr 1fr; gap: 10px; }
  .tiles dd { font-size: 19px; }
  .wide .plot { min-height: 232px; }
  th, td { padding: 7px 12px; }
  td small { display: block; margin: 0; }
}
`;
