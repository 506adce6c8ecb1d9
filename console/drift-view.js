import { barPairs } from './charts.js';
import { el, format, percent, show, table } from './dom.js';
import { legend } from './server-view.js';

const tests = { kolmogorov_smirnov: 'Kolmogorov–Smirnov', chi_square: 'chi-square', missing_rate: 'missing' };
const causes = { values: 'values', missing: 'missing values' };
const maxShown = 60;

/** The features and answers of a model, the drifted ones first, each with both distributions; or why there is nothing to show. */
export function showDrift(section, answer, problem) {
  const head = el('h3', {}, 'Drift');
  if (problem !== undefined) return show(section, head, el('p', { class: 'notice' }, problem));
  const outputs = Object.entries(answer.outputs ?? {}).map(([name, it]) => [`answer: ${name}`, it]);
  const features = [...Object.entries(answer.features ?? {}), ...outputs];
  if (features.length === 0) {
    const reason = answer.reason ?? 'There is nothing to compare.';
    return show(section, head, el('p', { class: 'notice' }, `Version ${answer.model_version}: ${reason}`));
  }
  features.sort(([, a], [, b]) => Number(b.drift) - Number(a.drift) || (a.p_value ?? 1) - (b.p_value ?? 1));
  const drifted = features.filter(([, { drift }]) => drift).length;
  const verdict = drifted === 0 ? 'Nothing has drifted.' : `${drifted} of ${features.length} have drifted.`;
  const { incomparable = [] } = answer;
  show(
    section,
    head,
    el('p', {}, el('span', { class: `badge ${drifted === 0 ? 'good' : 'bad'}` }, verdict)),
    el('p', { class: 'compared' }, describeWindow(answer)),
    legend(['reference', 'training'], ['current', 'now']),
    el('div', { class: 'cards' }, ...features.slice(0, maxShown).map(([name, it]) => showFeature(name, it))),
    features.length > maxShown ? el('p', {}, `${features.length - maxShown} more are in the API.`) : null,
    incomparable.length > 0
      ? el('p', { class: 'fine' }, `Not compared, since there are no values: ${incomparable.join(', ')}`)
      : null,
  );
}

/** Which rows are compared with which. */
function describeWindow({ window, reference, model_version: version }) {
  if (window === undefined) return '';
  const since = new Date(window.since).toLocaleString('en', { dateStyle: 'medium', timeStyle: 'short' });
  const drawn = window.seen_rows > window.rows ? ` (a sample of ${format(window.seen_rows)})` : '';
  const trained = reference === undefined ? 'the reference' : `${format(reference.rows)} reference rows`;
  return `${format(window.rows)} rows since ${since}${drawn}, compared with ${trained} of version ${version}.`;
}

function showFeature(name, column) {
  const { drift, because = [], distribution, test } = column;
  const why = because.map((it) => causes[it] ?? it).join(' and ');
  const verdict = why === '' ? 'drift' : `drift: ${why}`;
  const figures = [
    [tests[test] ?? test ?? 'statistic', column.statistic],
    ['p', column.adjusted_p_value ?? column.p_value],
    ['PSI', column.psi],
    ['reference values', column.reference_values],
  ].filter(([, value]) => value !== undefined);
  return el(
    'article',
    { class: 'card' },
    el(
      'h4',
      {},
      name,
      ' ',
      el('span', { class: `badge ${drift ? 'bad' : 'good'}` }, drift ? verdict : 'stable'),
    ),
    ...describeShares(column).map((text) => el('p', { class: 'share' }, text)),
    distribution === undefined
      ? el('p', { class: 'fine' }, 'The manifest marks it as sensitive: its values are not shown.')
      : showDistribution(name, distribution),
    el(
      'p',
      { class: 'fine figures-of-test' },
      ...figures.map(([label, value]) => el('span', {}, `${label} ${format(value)}`)),
    ),
  );
}

/** Missing values and new categories, where there are any. */
function describeShares({ missing_rate: missing = 0, reference_missing_rate: before = 0, unseen = 0 }) {
  return [
    missing > 0 || before > 0 ? `missing ${percent(before)} → ${percent(missing)}` : '',
    unseen > 0 ? `${percent(unseen)} unseen in training` : '',
  ].filter(Boolean);
}

function showDistribution(name, { bins = [], reference = [], current = [] }) {
  const labels = bins.map(nameBin);
  const rows = labels.map((label, k) => [label, percent(reference[k]), percent(current[k])]);
  const values = el(
    'details',
    { 'data-key': `${name} values` },
    el('summary', { 'data-key': `${name} summary` }, 'Values'),
    table(`Shares of ${name}`, ['value', 'training', 'now'], rows),
  );
  return el(
    'div',
    {},
    barPairs(`Distribution of ${name}`, labels, reference, current),
    showEdges(bins),
    values,
  );
}

/** A value that repeats has a bin of its own. */
function nameBin({ value, from, to }) {
  if (value !== undefined) return value;
  return from === to ? format(from) : `${format(from)} to ${format(to)}`;
}

/** Below the bars: the first, the middle and the last edge; of categories the names of few, or the first and the last. */
function showEdges(bins) {
  const [first, last] = [bins[0], bins.at(-1)];
  if (first === undefined) return null;
  const isFew = bins.length <= 4;
  const texts =
    'value' in first
      ? (isFew ? bins : [first, last]).map(({ value }) => value)
      : [first.from, middleOf(bins), last.to].map(format);
  const kind = 'value' in first && isFew ? 'ends each' : 'ends';
  // The table below has them for screen readers.
  return el('p', { class: kind, 'aria-hidden': 'true' }, ...texts.map((it) => el('span', { title: it }, it)));
}

/** The value below the middle of the chart, where all bars have one width. */
function middleOf(bins) {
  const { from, to } = bins[Math.floor(bins.length / 2)];
  return bins.length % 2 === 0 ? from : (from + to) / 2;
}
