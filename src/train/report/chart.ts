/**
 * One chart as HTML: an SVG that stretches with the page, its labels beside it as text that does not.
 * Knows curves and colours, not what they mean.
 */
import { type Axis, axis, figure, type ScaleKind } from './axis.ts';
import { nearestValue, type Point, quantile, thinned } from './curves.ts';
import { escapeHtml } from './escape.ts';

export type Line = {
  readonly label: string;
  /** The run that it is of, where the same label stands for a curve of each. */
  readonly run?: string;
  /** CSS colour. */
  readonly colour: string;
  readonly points: readonly Point[];
  /** The same curve before it was smoothed, drawn faintly behind it. */
  readonly raw?: readonly Point[];
  readonly isDashed?: boolean;
  /** A dot a point: for few measurements with gaps between. */
  readonly hasDots?: boolean;
  /** A point to point out. */
  readonly best?: Point | undefined;
};

/** A step at which something changed, with the number that names it in the text. */
export type Mark = { readonly step: number; readonly label: string; readonly colour: string };

export type Chart = {
  readonly title: string;
  /** Behind values in words, as in `12 %`. */
  readonly unit?: string | undefined;
  readonly scale: ScaleKind;
  readonly lines: readonly Line[];
  readonly marks: readonly Mark[];
  /** Last step of the axis. */
  readonly steps: number;
  readonly isWide?: boolean;
};

/** Side of the drawing in its own units; the page stretches it. */
const SIDE = 1000;
const STRIPS = 60;

export function chartHtml(chart: Chart): string {
  const { title, lines, isWide, unit = '' } = chart;
  const y = axis(valueRange(chart), { kind: chart.scale, pad: 0.06 });
  const first = Math.min(...lines.map(({ points }) => points[0]![0]));
  const x = axis([Math.min(first, 0), chart.steps], { count: isWide ? 8 : 4 });
  const last = lines.map(({ points }) => figure(points.at(-1)![1]) + unit);
  const isPlain = lines.length === 1;
  return [
    `<figure class="chart${isWide ? ' wide' : ''}">`,
    `<figcaption><h3>${escapeHtml(title)}</h3>${isPlain ? `<span>${bestText(lines[0]!)}<b>${last[0]}</b></span>` : ''}</figcaption>`,
    isPlain ? '' : `<ul class="legend">${legend(lines, last)}</ul>`,
    '<div class="plot">',
    `<div class="y" aria-hidden="true">${y.ticks.map((t) => `<span style="bottom:${percent(y.place(t.value))}">${t.label}</span>`).join('')}</div>`,
    `<svg viewBox="0 0 ${SIDE} ${SIDE}" preserveAspectRatio="none" role="img" aria-label="${escapeHtml(spoken(chart, last))}">`,
    drawing(chart, x, y),
    '</svg>',
    `<div class="x" aria-hidden="true">${x.ticks.map((t) => `<span style="left:${percent(x.place(t.value))}">${t.label}</span>`).join('')}</div>`,
    ...chart.marks.map(
      ({ step, label, colour }) =>
        `<span class="mark" style="left:${percent(x.place(step))};--c:${colour}">${escapeHtml(label)}</span>`,
    ),
    '</div></figure>',
  ].join('');
}

/** A colour a label, its last value in each run, and whose strokes are whose. */
function legend(lines: readonly Line[], last: readonly string[]): string {
  const key = (colour: string, isDashed = false): string =>
    `<i class="key${isDashed ? ' dashed' : ''}" style="--c:${colour}"></i>`;
  const labels = [...new Set(lines.map(({ label }) => label))].map((label) => {
    const values = last.filter((_, i) => lines[i]!.label === label);
    const { colour } = lines.find((line) => line.label === label)!;
    return `<li>${key(colour)}${escapeHtml(label)}<b>${values.join(' / ')}</b></li>`;
  });
  const runs = new Map(lines.flatMap(({ run, isDashed }) => (run === undefined ? [] : [[run, isDashed] as const])));
  const strokes = [...runs].map(([run, isDashed]) => `<li>${key('var(--quiet)', isDashed)}${escapeHtml(run)}</li>`);
  return [...labels, ...strokes].join('');
}

/** What a line is called where no colour tells. */
const fullName = ({ label, run }: Line): string => (run === undefined ? label : `${label}, ${run}`);

const bestText = ({ best }: Line): string =>
  best ? `<small>best ${figure(best[1])} at ${figure(best[0])}</small>` : '';

/** Room for every smoothed value, and for all but the wildest of the raw ones. */
function valueRange({ lines, scale }: Chart): [number, number] {
  const drawn = lines.flatMap(({ points }) => points.map(([, value]) => value));
  const raw = lines.flatMap(({ raw: points }) => (points ? [quantile(points, 0.01), quantile(points, 0.99)] : []));
  const all = [...drawn, ...raw].filter((value) => scale === 'linear' || value > 0);
  return [Math.min(...all), Math.max(...all)];
}

function drawing({ lines, marks, unit = '' }: Chart, x: Axis, y: Axis): string {
  const place = ([step, value]: Point): string =>
    `${Math.round(x.place(step) * SIDE)} ${Math.round((1 - y.place(value)) * SIDE)}`;
  const path = (points: readonly Point[]): string => `M${points.map(place).join('L')}`;
  const dots = (points: readonly Point[]): string => points.map((point) => `M${place(point)}h0`).join('');
  const grid = y.ticks.map(({ value }) => `M0 ${Math.round((1 - y.place(value)) * SIDE)}h${SIDE}`).join('');
  const markLines = marks.map(
    ({ step, colour }) =>
      `<path class="change" style="--c:${colour}" d="M${Math.round(x.place(step) * SIDE)} 0v${SIDE}"/>`,
  );
  const raws = lines.flatMap(({ raw, colour }) =>
    raw ? [`<path class="raw" style="--c:${colour}" d="${path(thinned(raw, 600))}"/>`] : [],
  );
  const curves = lines.map(({ points, colour, isDashed, hasDots, best }) =>
    [
      `<path class="line${isDashed ? ' dashed' : ''}" style="--c:${colour}" d="${path(thinned(points, 600))}"/>`,
      hasDots || points.length === 1 ? `<path class="dot" style="--c:${colour}" d="${dots(points)}"/>` : '',
      best ? `<path class="best" style="--c:${colour}" d="${dots([best])}"/>` : '',
    ].join(''),
  );
  return `<path class="grid" d="${grid}"/>${[...markLines, ...raws, ...curves].join('')}${strips(lines, x, unit)}`;
}

/** Columns over the drawing whose tooltips say the values there. */
function strips(lines: readonly Line[], x: Axis, unit: string): string {
  const steps = [...new Set(lines.flatMap(({ points }) => points.map(([step]) => step)))].sort((a, b) => a - b);
  const count = Math.min(STRIPS, steps.length);
  const shown = Array.from(
    { length: count },
    (_, i) => steps[Math.round((i * (steps.length - 1)) / Math.max(1, count - 1))]!,
  );
  const centre = shown.map((step) => x.place(step) * SIDE);
  return shown
    .map((step, i) => {
      const from = i === 0 ? 0 : Math.round((centre[i - 1]! + centre[i]!) / 2);
      const to = i === count - 1 ? SIDE : Math.round((centre[i]! + centre[i + 1]!) / 2);
      const values = lines.map((line) => `${fullName(line)} ${figure(nearestValue(line.points, step))}${unit}`);
      const text = escapeHtml([`step ${figure(step)}`, ...values].join('\n'));
      return `<rect x="${from}" width="${to - from}" height="${SIDE}"><title>${text}</title></rect>`;
    })
    .join('');
}

/** The chart in a sentence, for who does not see it. */
const spoken = ({ title, lines }: Chart, last: readonly string[]): string =>
  `${title} over steps; last ${lines.map((line, i) => `${fullName(line)} ${last[i]}`).join(', ')}`;

const percent = (part: number): string => `${Number((100 * part).toFixed(2))}%`;
