import { el, format, percent, show } from './dom.js';
import { createBodyField, createField } from './form-fields.js';

const pauseMs = 250;

/**
 * A form made of the features of a version. It predicts when a person presses its button, and after each edit, but not
 * by itself: a page that is only looked at makes no traffic. What the page sees to be wrong is not sent.
 * @param {(body: unknown, signal: AbortSignal) => Promise<{ status: number, body: any, ms: number }>} predict
 * @param {boolean} mayPredict whether the key has the scope
 */
export function createPredictForm(detail, predict, mayPredict) {
  const hint = mayPredict
    ? 'Press Predict, or change a value.'
    : 'This key lacks the scope predict: the form can be read, but it cannot be sent.';
  const output = el('div', { class: 'answer', role: 'status' }, el('p', { class: 'notice' }, hint));
  const fields =
    detail.task === 'tensor'
      ? [createBodyField(detail.example)]
      : (detail.features ?? []).map((it) => createField(it, detail.example));
  const form = el(
    'form',
    { class: 'predict', novalidate: true, 'aria-label': `Predict with ${detail.model}` },
    el(
      'div',
      {},
      el('div', { class: 'fields' }, ...fields.map(({ element }) => element)),
      el('button', { class: 'main', disabled: !mayPredict }, 'Predict'),
    ),
    output,
  );
  let timer;
  let running;
  const send = async () => {
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    if (!showProblems(fields, output)) return;
    try {
      const reply = await predict(readBody(detail, fields), signal);
      if (!signal.aborted) showReply(reply, fields, output);
    } catch {
      if (!signal.aborted) show(output, el('p', { class: 'notice bad' }, 'The server does not answer.'));
    }
  };
  form.addEventListener('input', () => {
    clearTimeout(timer);
    if (mayPredict) timer = setTimeout(send, pauseMs);
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    clearTimeout(timer);
    if (mayPredict) void send();
  });
  return form;
}

/** Puts problems beside their fields. Returns whether there is none. */
function showProblems(fields, output) {
  const wrong = [];
  for (const field of fields) {
    const problem = field.find();
    field.setProblem(problem);
    if (problem !== '') wrong.push(field.name);
  }
  if (wrong.length === 0) return true;
  const names = wrong.slice(0, 5).join(', ') + (wrong.length > 5 ? ` and ${wrong.length - 5} more` : '');
  show(output, el('p', { class: 'notice bad' }, `Not sent. Correct ${names} first.`));
  return false;
}

function readBody(detail, fields) {
  if (detail.task === 'tensor') return fields[0].read();
  const entries = fields.map(({ name, read }) => [name, read()]).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries);
}

function showReply({ status, body, ms }, fields, output) {
  if (status !== 200) {
    const rest = (body.errors ?? []).filter(({ pointer, message }) => {
      const name = pointer.slice(1).split('/')[0].replaceAll('~1', '/').replaceAll('~0', '~');
      const field = fields.find((it) => it.name === name);
      field?.setProblem(message);
      return field === undefined;
    });
    const texts = rest.map(({ pointer, message }) => `${pointer} ${message}`);
    const first =
      body.errors?.length > 0 ? body.title : `${body.title ?? `Status ${status}`}. ${body.detail ?? ''}`;
    return show(output, el('p', { class: 'notice bad' }, [first, ...texts].join(' · ')));
  }
  const prediction = 'prediction' in body ? body.prediction : body.outputs;
  const isScalar = typeof prediction !== 'object';
  const text = isScalar ? format(prediction) : describeMembers(prediction);
  const certainty = body.probability === undefined ? null : el('small', {}, ` ${percent(body.probability)}`);
  return show(
    output,
    isScalar
      ? el('p', { class: 'figure' }, text, certainty)
      : el(
          'pre',
          { tabindex: 0, 'aria-label': 'Outputs' },
          text.length > 4_000 ? `${text.slice(0, 4_000)} …` : text,
        ),
    body.probabilities === undefined ? null : showProbabilities(body.probabilities),
    el('p', { class: 'fine' }, `version ${body.model_version} · ${format(ms)} ms with the network`),
  );
}

function describeMembers(outputs) {
  return Object.entries(outputs)
    .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
    .join('\n');
}

function showProbabilities(probabilities) {
  const all = Object.entries(probabilities);
  const shown = all.length > 12 ? [...all].sort(([, a], [, b]) => b - a).slice(0, 12) : all;
  const rows = shown.map(([name, value]) =>
    el(
      'div',
      {},
      el('span', { id: `class-${name}` }, name),
      el('progress', { value, max: 1, 'aria-label': `Probability of ${name}` }),
      el('span', {}, percent(value)),
    ),
  );
  return el('div', { class: 'probabilities' }, ...rows);
}
