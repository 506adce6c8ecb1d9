import { el, format, percent, show } from './dom.js';

const pauseMs = 250;

/**
 * A form made of the features of a version, which predicts while someone types.
 * @param {(body: unknown, signal: AbortSignal) => Promise<{ status: number, body: any, ms: number }>} predict
 */
export function createPredictForm(detail, predict) {
  const output = el('div', { class: 'answer', role: 'status', 'aria-live': 'polite' });
  const fields =
    detail.task === 'tensor'
      ? [tensorField(detail)]
      : (detail.features ?? []).map((it) => toField(it, detail));
  const form = el(
    'form',
    { class: 'predict', novalidate: true, 'aria-label': `Predict with ${detail.model}` },
    el('div', { class: 'fields' }, ...fields.map(({ element }) => element)),
    output,
  );
  let timer;
  let running;
  const send = async () => {
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    for (const { setProblem } of fields) setProblem('');
    try {
      const body = readBody(detail, fields);
      const reply = await predict(body, signal);
      if (!signal.aborted) showReply(reply, fields, output);
    } catch (error) {
      if (!signal.aborted) show(output, el('p', { class: 'notice bad' }, messageOf(error)));
    }
  };
  form.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(send, pauseMs);
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    clearTimeout(timer);
    void send();
  });
  void send();
  return form;
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

let ids = 0;

function toField(feature, { example, model }) {
  const { name, type, unit, description, nullable } = feature;
  ids += 1;
  const id = `field-${ids}`;
  const start = feature.example ?? example?.[name] ?? feature.default;
  const { input, read } = createInput(feature, start, id);
  const none = nullable
    ? el('input', { type: 'checkbox', 'aria-label': `${name} is null`, checked: start === null })
    : null;
  const problem = el('p', { class: 'problem', id: `${id}-problem` });
  const hints = [
    type,
    boundsOf(feature),
    nullable ? 'may be null' : '',
    feature.default !== undefined ? `default ${feature.default}` : '',
  ];
  const element = el(
    'div',
    { class: 'field' },
    el(
      'label',
      { for: id, title: description },
      name,
      unit === undefined ? null : el('small', {}, ` ${unit}`),
    ),
    el('div', { class: 'input' }, input, none === null ? null : el('label', { class: 'null' }, none, 'null')),
    el('p', { class: 'fine', id: `${id}-hint` }, hints.filter(Boolean).join(', ')),
    problem,
  );
  const setProblem = (text) => {
    show(problem, text);
    input.toggleAttribute('aria-invalid', text !== '');
  };
  return { name, element, setProblem, read: () => (none?.checked ? null : read()), model };
}

function createInput(feature, start, id) {
  const { type, minimum, maximum } = feature;
  const about = { id, name: feature.name, 'aria-describedby': `${id}-hint ${id}-problem` };
  const choices = type === 'boolean' ? ['true', 'false'] : feature.enum;
  if (choices !== undefined && choices.length <= 500) {
    const options = choices.map((it) => el('option', { value: it, selected: String(start) === it }, it));
    const input = el(
      'select',
      about,
      feature.default === undefined ? null : el('option', { value: '' }, ''),
      ...options,
    );
    // A class named "" is the first of two options with this value, which a browser cannot tell apart.
    const read = () =>
      input.value === '' ? undefined : type === 'boolean' ? input.value === 'true' : input.value;
    return { input, read };
  }
  if (type === 'string') {
    const input = el('input', { ...about, type: 'text', value: start ?? '', autocomplete: 'off' });
    return {
      input,
      read: () => (input.value === '' && feature.default !== undefined ? undefined : input.value),
    };
  }
  const input = el('input', {
    ...about,
    type: 'number',
    step: type === 'integer' ? 1 : 'any',
    min: minimum,
    max: maximum,
    value: start ?? '',
    autocomplete: 'off',
  });
  // Empty, or no number: the server says what is missing.
  return { input, read: () => (input.value === '' ? undefined : Number(input.value)) };
}

function boundsOf({ minimum, maximum }) {
  if (minimum !== undefined && maximum !== undefined) return `${format(minimum)} to ${format(maximum)}`;
  if (minimum !== undefined) return `from ${format(minimum)}`;
  return maximum === undefined ? '' : `up to ${format(maximum)}`;
}

function tensorField({ example }) {
  ids += 1;
  const input = el(
    'textarea',
    { id: `field-${ids}`, rows: 8, spellcheck: 'false' },
    JSON.stringify(example ?? {}),
  );
  const problem = el('p', { class: 'problem' });
  return {
    name: 'inputs',
    element: el(
      'div',
      { class: 'field wide' },
      el('label', { for: `field-${ids}` }, 'Body, as JSON'),
      input,
      problem,
    ),
    setProblem: (text) => show(problem, text),
    read: () => JSON.parse(input.value),
  };
}

function messageOf(error) {
  return error instanceof SyntaxError
    ? `The body is not JSON: ${error.message}`
    : 'The server does not answer.';
}
