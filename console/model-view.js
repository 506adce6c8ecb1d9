import { el, format, show } from './dom.js';
import { showDrift } from './drift-view.js';
import { createPredictForm } from './predict-form.js';
import { mainMetric, showQuality } from './quality-view.js';

/** Drift and quality change slowly. */
const slowMs = 15_000;

/**
 * One model. `show` takes the model and the whole data as the server lists them; the form is made again only for another version, so that
 * nobody loses what they type.
 * @param {(path: string, options?: RequestInit) => Promise<{ status: number, body: any, ms: number }>} ask
 */
export function createModelView(name, ask) {
  const path = `models/${encodeURIComponent(name)}`;
  const parts = ['overview', 'try', 'quality', 'drift'].map((it) =>
    el('section', { class: it, 'aria-label': it }),
  );
  const [overview, trial, quality, drift] = parts;
  let chosen;
  /** The version whose form is there or on its way; undefined after a request that failed. */
  let formOf;
  let chosenByHand = false;
  let askedAt = -slowMs;
  let data;
  let showLastQuality = () => undefined;

  async function choose(version) {
    chosen = version;
    formOf = version;
    const reply = await ask(`${path}/versions/${encodeURIComponent(version)}`).catch(() => undefined);
    if (chosen !== version) return;
    const head = el('h3', {}, 'Try it ', el('small', {}, `version ${version}`));
    const problem = reply === undefined ? 'The server does not answer. Trying again …' : problemOf(reply);
    if (problem !== undefined) {
      formOf = undefined;
      return show(trial, head, el('p', { class: 'notice bad' }, problem));
    }
    const { body } = reply;
    const predict = (row, signal) =>
      ask(`${path}/versions/${encodeURIComponent(version)}/predict`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(row),
        signal,
      });
    show(trial, head, createPredictForm(body, predict, data.may_predict));
  }

  async function refreshSlow({ versions, default_version: current }) {
    const [measured, drifted] = await Promise.all([
      ask(`${path}/quality`),
      ask(`${path}/drift?distributions=true`),
    ]);
    // The findings come with the data, which is newer at the next turn.
    showLastQuality = () => {
      const findings = data.findings.filter(({ model }) => model === name);
      const problem = qualityProblem(measured, data.problems);
      showQuality(quality, measured.body, problem, { versions, findings, current });
    };
    showLastQuality();
    showDrift(drift, drifted.body, problemOf(drifted, 'There is no drift to show for this model.'));
  }

  return {
    elements: [el('h2', {}, name), ...parts],
    async show(model, all) {
      data = all;
      const current = model.default_version;
      const wanted = chosenByHand ? chosen : current;
      if (wanted !== null && wanted !== formOf) void choose(wanted);
      const showAll = () =>
        showOverview(overview, model, chosen, (version) => {
          chosenByHand = true;
          void choose(version);
          showAll();
        });
      showAll();
      if (current === null && chosen === undefined)
        show(
          trial,
          el('h3', {}, 'Try it'),
          el('p', { class: 'notice' }, model.problem ?? 'No version is ready.'),
        );
      if (performance.now() - askedAt < slowMs) return showLastQuality();
      askedAt = performance.now();
      await refreshSlow(model);
    },
  };
}

function qualityProblem(measured, problems) {
  if (measured.status !== 503) return problemOf(measured, 'Feedback is off on this server.');
  const cause = problems.find((it) => it.startsWith('Redis')) ?? 'a process of the server does not answer';
  return `Live quality cannot be read now, because ${cause}. Predictions go on.`;
}

function problemOf({ status, body }, missing) {
  if (status === 200) return undefined;
  if (status === 404 && missing !== undefined) return missing;
  return [body?.title ?? `Status ${status}`, body?.detail].filter(Boolean).join('. ');
}

function showOverview(section, model, chosen, onChoose) {
  const { problem, versions, aliases, default_version: current } = model;
  const names = (version) =>
    Object.entries(aliases)
      .filter(([alias, it]) => it.version === version && alias !== 'default')
      .map(([alias]) => alias);
  const rows = versions.map((it) => toRow(it, { current, chosen, names: names(it.version), onChoose }));
  const head = ['version', 'state', 'answers', 'training', 'run', 'memory', ''].map((it) =>
    el('th', { scope: 'col' }, it),
  );
  const reasons = versions.filter(({ reason, fault }) => reason !== undefined || fault !== undefined);
  show(
    section,
    problem === undefined ? null : el('p', { class: 'notice bad' }, problem),
    el(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Versions', 'data-key': ' versions' },
      el(
        'table',
        {},
        el('caption', {}, 'Versions'),
        el('thead', {}, el('tr', {}, ...head)),
        el('tbody', {}, ...rows),
      ),
    ),
    ...reasons.map(({ version, reason, fault }) =>
      el('p', { class: 'notice bad' }, el('strong', {}, version), ` ${reason ?? fault}`),
    ),
  );
}

function toRow(it, { current, chosen, names, onChoose }) {
  const { version, state, task, metrics, run_ms: run, memory_mb: memory } = it;
  const kind = { ready: 'good', loading: 'warn', refused: 'bad' }[state];
  const answers = [version === current ? 'by default' : '', ...names].filter(Boolean).join(', ');
  const isChosen = version === chosen;
  const button =
    state === 'ready'
      ? el(
          'button',
          { type: 'button', value: version, 'data-key': version, 'aria-pressed': String(isChosen) },
          isChosen ? 'Chosen' : 'Try',
        )
      : null;
  button?.addEventListener('click', () => onChoose(version));
  const cells = [
    el('span', {}, version, task === undefined ? null : el('small', {}, ` ${task}`)),
    el('span', { class: `badge ${kind}` }, state),
    answers,
    mainMetric(metrics),
    run === undefined ? '–' : `${format(run)} ms`,
    !(memory > 0) ? '–' : `${format(memory)} MB`,
    button,
  ];
  return el('tr', {}, ...cells.map((cell) => el('td', {}, cell)));
}
