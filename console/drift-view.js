import { barPairs } from './charts.js';
import { el, format, show } from './dom.js';
import { legend } from './server-view.js';

const tests = { kolmogorov_smirnov: 'Kolmogorov–Smirnov', chi_square: 'chi-square', missing_rate: 'missing' };

/** The features and answers of a model, the drifted ones first, each with both distributions; or why there is nothing to show. */
export function showDrift(section, answer, problem) {
  const head = el('h3', {}, 'Drift');
  if (problem !== undefined) return show(section, head, el('p', { class: 'notice' }, problem));
  const outputs = Object.entries(answer.outputs ?? {}).map(([name, it]) => [`answer: ${name}`, it]);
  const features = [...Object.entries(answer.features ?? {}), ...outputs];
  if (features.length === 0) {
    const reason = answer.reason ?? 'There is nothing to compare.';
    return show(section, head, el('p', { class: 'notice' }, reason));
  }
  features.sort(([, a], [, b]) => Number(b.drift) - Number(a.drift) || (a.p_value ?? 1) - (b.p_value ?? 1));
  const drifted = features.filter(([, { drift }]) => drift).length;
  const verdict = drifted === 0 ? 'Nothing has drifted.' : `${drifted} of ${features.length} have drifted.`;
  show(
    section,
    head,
    el('p', {}, el('span', { class: `badge ${drifted === 0 ? 'good' : 'bad'}` }, verdict)),
    legend(['reference', 'training'], ['current', 'now']),
    el('div', { class: 'cards' }, ...features.slice(0, 60).map(([name, it]) => showFeature(name, it))),
    features.length > 60 ? el('p', {}, `${features.length - 60} more are in the API.`) : null,
  );
}

function showFeature(
  name,
  { drift, test, p_value: p, adjusted_p_value: adjusted, statistic, psi, distribution },
) {
  const figures = [
    [tests[test] ?? test ?? 'statistic', statistic],
    ['p', adjusted ?? p],
    ['PSI', psi],
  ].filter(([, value]) => value !== undefined);
  return el(
    'article',
    { class: 'card' },
    el(
      'h4',
      {},
      name,
      ' ',
      el('span', { class: `badge ${drift ? 'bad' : 'good'}` }, drift ? 'drift' : 'stable'),
    ),
    distribution === undefined ? null : showDistribution(name, distribution),
    el('p', { class: 'fine' }, figures.map(([label, value]) => `${label} ${format(value)}`).join(' · ')),
  );
}

function showDistribution(name, { bins = [], reference = [], current = [] }) {
  const labels = bins.map((bin) =>
    'value' in bin ? String(bin.value) : `${format(bin.from)} to ${format(bin.to)}`,
  );
  const ends = labels.length === 0 ? [] : [bins[0], bins.at(-1)];
  const [first, last] = ends.map((bin, k) =>
    'value' in bin ? String(bin.value) : format(k === 0 ? bin.from : bin.to),
  );
  return el(
    'div',
    {},
    barPairs(`Distribution of ${name}`, labels, reference, current),
    el('p', { class: 'ends' }, el('span', {}, first ?? ''), el('span', {}, last ?? '')),
  );
}
