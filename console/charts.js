import { format, svg } from './dom.js';

const [width, height] = [320, 84];

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
  const paths = series.map(({ name, values }) => {
    let isDown = false;
    const parts = values.flatMap((value, k) => {
      if (value === null) {
        isDown = false;
        return [];
      }
      const part = `${isDown ? 'L' : 'M'}${x(k).toFixed(1)} ${y(value).toFixed(1)}`;
      // A lone point is a short line.
      const dot = !isDown && (values[k + 1] ?? null) === null ? 'h1.5' : '';
      isDown = true;
      return [part + dot];
    });
    return svg('path', { class: `line ${name}`, d: parts.join('') });
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
  return svg(
    'svg',
    { viewBox: `-4 -4 ${size + 8} ${size + 8}`, class: 'calibration', role: 'img' },
    svg('title', {}, 'Predicted probability against the observed share'),
    svg('path', { class: 'axis', d: `M0 0V${size}H${size}` }),
    svg('path', { class: 'diagonal', d: `M0 ${size}L${size} 0` }),
    ...filled.map(({ predicted, observed, count }) =>
      svg(
        'circle',
        {
          class: 'bar current',
          cx: (predicted * size).toFixed(1),
          cy: ((1 - observed) * size).toFixed(1),
          r: (3 + 5 * Math.sqrt(count / most)).toFixed(1),
        },
        svg(
          'title',
          {},
          `predicted ${format(predicted)}, observed ${format(observed)}, ${count} predictions`,
        ),
      ),
    ),
  );
}
