import { lineChart } from './charts.js';
import { el, format, percent, show } from './dom.js';

/** The traffic of the whole server. Figures are those of the last minute. */
export function showTraffic(section, { traffic, step_seconds: stepSeconds }) {
  const minute = traffic.slice(-Math.round(60 / stepSeconds));
  const sum = (name) => minute.reduce((total, point) => total + point[name], 0);
  const seconds = Math.max(1, minute.length * stepSeconds);
  const worst = (name) => {
    const known = minute.map((point) => point[name]).filter((it) => it !== null);
    return known.length === 0 ? null : Math.max(...known);
  };
  const values = (name) => traffic.map((point) => point[name]);
  const rate = (name) => traffic.map((point) => point[name] / stepSeconds);
  const errors = sum('refused') + sum('failed');
  const of = sum('requests') === 0 ? '' : ` of ${format(sum('requests'))}`;
  show(
    section,
    card('Predictions', rateText(sum('requests'), seconds), [
      lineChart('Predictions a second', [{ name: 'main', values: rate('requests') }]),
      legend(['main', 'a second, 5 minutes']),
    ]),
    card('Latency, p99', worst('p99_ms') === null ? '–' : `${format(worst('p99_ms'))} ms`, [
      lineChart('Latency in milliseconds', [
        { name: 'second', values: values('p50_ms') },
        { name: 'main', values: values('p99_ms') },
      ]),
      legend(['main', 'p99'], ['second', 'p50']),
    ]),
    card('Errors', `${format(errors)}${of}`, [
      lineChart('Errors a second', [
        { name: 'second', values: rate('refused') },
        { name: 'bad', values: rate('failed') },
      ]),
      legend(['second', 'refused (4xx)'], ['bad', 'failed (5xx)']),
    ]),
  );
}

function card(title, figure, children) {
  return el(
    'article',
    { class: 'card' },
    el('h2', {}, title),
    el('p', { class: 'figure' }, figure, el('small', {}, ' in the last minute')),
    ...children,
  );
}

/** A rate below 1 a second is easier to read as a count. */
function rateText(count, seconds) {
  return count < seconds ? format(count) : `${format(count / seconds)} /s`;
}

export function legend(...entries) {
  const items = entries.map(([name, text]) => el('li', { class: name }, text));
  return el('ul', { class: 'legend' }, ...items);
}

/**
 * The list of models. The chosen one is in the fragment of the address.
 * @param {{ models: object[], findings: object[] }} data
 */
export function showModels(nav, { models, findings }, chosen) {
  const items = models.map((model) => {
    const { name, versions, problem, default_version: current } = model;
    const refused = versions.filter(({ state }) => state === 'refused').length;
    const marks = findings.filter((it) => it.model === name).flatMap((it) => describeFinding(it, current));
    const state = problem !== undefined ? 'bad' : refused + marks.length > 0 ? 'warn' : 'good';
    const note = problem !== undefined ? 'does not answer' : `version ${current}`;
    const more = refused > 0 ? `, ${refused} refused` : '';
    const href = `#${encodeURIComponent(name)}`;
    return el(
      'li',
      {},
      el(
        'a',
        { href, 'aria-current': name === chosen && 'page', 'data-key': href },
        el('span', { class: `dot ${state}`, 'aria-hidden': 'true' }),
        el(
          'span',
          {},
          el('strong', {}, name),
          el('small', {}, note + more),
          ...marks.map((text) => el('small', { class: 'mark' }, text)),
        ),
      ),
    );
  });
  show(
    nav,
    el('h2', {}, 'Models'),
    items.length === 0 ? el('p', {}, 'There is no model yet.') : el('ul', {}, ...items),
  );
}

function describeFinding({ version, drifted, drifted_count: count, decline }, current) {
  const of = version === current ? '' : ` (version ${version})`;
  const more = count > drifted.length ? ` and ${count - drifted.length} more` : '';
  const texts = count > 0 ? [`Drift: ${drifted.join(', ')}${more}${of}`] : [];
  if (decline === undefined) return texts;
  const { figure, live, trained } = decline;
  const [name, write] = figure === 'accuracy' ? ['Accuracy', percent] : [figure.toUpperCase(), format];
  return [...texts, `${name} ${write(live)}, ${write(trained)} in training${of}`];
}
