import { format, svg } from './dom.js';

const [width, height] = [320, 84];
/** With gaps and as many known points, or fewer, each one is a dot. */
const fewPoints = 12;

/**
 * Lines over time with a scale from 0.
 * @param {string} title what a screen reader says
 * @param {{ name: string, values: (number | null)[] }[]} series the class of a line is its name
 */
export function lineChart(title, series) {
  const all = series.flatMap(({ values }) => values.filter((it) => it !== null));
  const top = Math.max(...all, 0) || 1;
  const steps = Math.max(1, ...series.map(({ values }) => values.length - 1));
  const x = (k) => (k / steps) * width;
  const y = (value) => height - 2 - (value / top) * (height - 6);
  const known = (values) => values.flatMap((value, k) => (value === null ? [] : [{ value, k }]));
  const paths = series.flatMap(({ name, values }) => {
    const points = known(values).map(({ value, k }) => ({
      k,
      at: `${x(k).toFixed(1)} ${y(value).toFixed(1)}`,
    }));
    const line = points.map(({ k, at }) => `${(values[k - 1] ?? null) === null ? 'M' : 'L'}${at}`).join('');
    // A line of length 0 with round ends is a dot, which no scale distorts. A point without neighbours has no line.
    const isSparse = points.length <= fewPoints && points.length < values.length;
    const dots = points.filter(
      ({ k }) => isSparse || ((values[k - 1] ?? null) === null && (values[k + 1] ?? null) === null),
    );
    return [
      svg('path', { class: `line ${name}`, d: line }),
      svg('path', { class: `line dots ${name}`, d: dots.map(({ at }) => `M${at}h0`).join('') }),
    ];
  });
  return svg(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, class: 'chart', role: 'img', preserveAspectRatio: 'none' },
    svg('title', {}, title),
    svg('path', { class: 'axis', d: `M0 ${height - 1}H${width}` }),
    ...paths,
  );
}

/** Two bars for each bin: the reference and the current share. */
export function barPairs(title, labels, reference, current) {
  const top = Math.max(...reference, ...current, 0) || 1;
  const step = width / Math.max(1, labels.length);
  const bar = (name, value, k, shift) => {
    const size = (value / top) * (height - 4);
    return svg('rect', {
      class: `bar ${name}`,
      x: (k * step + step * shift).toFixed(2),
      y: (height - size).toFixed(2),
      width: (step * 0.42).toFixed(2),
      height: size.toFixed(2),
    });
  };
  const pairs = labels.map((label, k) =>
    svg(
      'g',
      {},
      svg('title', {}, `${label}: ${format(reference[k])} then, ${format(current[k])} now`),
      bar('reference', reference[k] ?? 0, k, 0.06),
      bar('current', current[k] ?? 0, k, 0.52),
    ),
  );
  return svg(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, class: 'chart', role: 'img', preserveAspectRatio: 'none' },
    svg('title', {}, title),
    ...pairs,
  );
}

/** Predicted against observed: on the diagonal, probabilities mean what they say. */
export function calibrationChart(bins) {
  const size = 160;
  const filled = bins.filter(({ count }) => count > 0);
  const most = Math.max(...filled.map(({ count }) => count), 1);
  const ticks = [0, 0.5, 1].flatMap((share) => {
    const [x, y] = [share * size, (1 - share) * size];
    return [
      svg('path', { class: 'axis', d: `M${x} ${size}v4M0 ${y}h-4` }),
      svg('text', { class: 'tick', x, y: size + 16, 'text-anchor': 'middle' }, String(share)),
      svg('text', { class: 'tick', x: -7, y: y + 4, 'text-anchor': 'end' }, String(share)),
    ];
  });
  return svg(
    'svg',
    { viewBox: `-28 -10 ${size + 40} ${size + 30}`, class: 'calibration', role: 'img' },
    svg('title', {}, 'Predicted probability against the observed share'),
    svg('path', { class: 'axis', d: `M0 0V${size}H${size}` }),
    svg('path', { class: 'diagonal', d: `M0 ${size}L${size} 0` }),
    ...ticks,
    ...filled.map(({ predicted, observed, count }) =>
      svg('circle', {
        class: 'bar current',
        cx: (predicted * size).toFixed(1),
        cy: ((1 - observed) * size).toFixed(1),
        r: (3 + 5 * Math.sqrt(count / most)).toFixed(1),
      }),
    ),
  );
}
