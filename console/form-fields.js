import { el, format, show } from './dom.js';

/**
 * A field of the form. `find` returns what the page itself sees wrong in it, an empty text if nothing; `read` returns
 * its value, undefined if it is left out.
 * @typedef {{ name: string, element: Element, find: () => string, read: () => unknown, setProblem: (text: string) => void }} Field
 */

let ids = 0;

/** @returns {Field} */
export function createField(feature, example) {
  const { name, type, unit, description, nullable } = feature;
  ids += 1;
  const id = `field-${ids}`;
  const start = feature.example ?? example?.[name] ?? feature.default;
  const { input, read, find } = createInput(feature, start, id);
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
  return {
    name,
    element,
    setProblem: (text) => showProblem(input, problem, text),
    find: () => (none?.checked ? '' : find()),
    read: () => (none?.checked ? null : read()),
  };
}

/** The whole body as JSON, for a model of tensors. @returns {Field} */
export function createBodyField(example) {
  ids += 1;
  const id = `field-${ids}`;
  const input = el(
    'textarea',
    { id, rows: 8, spellcheck: 'false', 'aria-describedby': `${id}-problem` },
    JSON.stringify(example ?? {}),
  );
  const problem = el('p', { class: 'problem', id: `${id}-problem` });
  const element = el(
    'div',
    { class: 'field wide' },
    el('label', { for: id }, 'Body, as JSON'),
    input,
    problem,
  );
  return {
    name: 'inputs',
    element,
    setProblem: (text) => showProblem(input, problem, text),
    find() {
      try {
        JSON.parse(input.value);
        return '';
      } catch (error) {
        return `is not JSON: ${error.message}`;
      }
    },
    read: () => JSON.parse(input.value),
  };
}

function showProblem(input, problem, text) {
  show(problem, text);
  // The attribute without a value means "false".
  if (text === '') input.removeAttribute('aria-invalid');
  else input.setAttribute('aria-invalid', 'true');
}

function createInput(feature, start, id) {
  const { name, type } = feature;
  const about = { id, name, 'aria-describedby': `${id}-hint ${id}-problem` };
  const isOptional = feature.nullable === true || feature.default !== undefined;
  const classes = feature.enum ?? (feature.codes && Object.keys(feature.codes));
  const choices = type === 'boolean' ? ['true', 'false'] : classes;
  if (choices !== undefined && choices.length <= 500)
    return createChoice(choices, { type, isOptional, about, start });
  if (type === 'string') {
    const input = el('input', { ...about, type: 'text', value: start ?? '', autocomplete: 'off' });
    const known = classes && new Set(classes);
    const isLeftOut = () => input.value === '' && isOptional && !known?.has('');
    return {
      input,
      find: () =>
        known === undefined || isLeftOut() || known.has(input.value) ? '' : 'must be one of its categories',
      read: () => (isLeftOut() ? undefined : input.value),
    };
  }
  const input = el('input', {
    ...about,
    type: 'number',
    step: type === 'integer' ? 1 : 'any',
    min: feature.minimum,
    max: feature.maximum,
    value: start ?? '',
    autocomplete: 'off',
  });
  return {
    input,
    find: () => findNumberProblem(input, feature, isOptional),
    read: () => (input.value === '' ? undefined : Number(input.value)),
  };
}

function createChoice(choices, { type, isOptional, about, start }) {
  const options = choices.map((it) => el('option', { value: it, selected: String(start) === it }, it));
  const input = el('select', about, isOptional ? el('option', { value: '' }, '') : null, ...options);
  // A browser cannot tell a category named "" from the empty choice.
  const read = () => {
    if (input.value === '' && (isOptional || !choices.includes(''))) return undefined;
    return type === 'boolean' ? input.value === 'true' : input.value;
  };
  return { input, read, find: () => '' };
}

/** The words of the server. It alone knows the range of the tensor's type. */
function findNumberProblem(input, { type, minimum, maximum }, isOptional) {
  const kind = type === 'integer' ? 'a whole number' : 'a number';
  // The browser hides a text that is no number.
  if (input.validity.badInput) return `must be ${kind}`;
  if (input.value === '') return isOptional ? '' : 'is required';
  const value = Number(input.value);
  if (type === 'integer' && !Number.isInteger(value)) return `must be a whole number, got ${value}`;
  if (minimum !== undefined && value < minimum) return `must be at least ${minimum}, got ${value}`;
  if (maximum !== undefined && value > maximum) return `must be at most ${maximum}, got ${value}`;
  return '';
}

function boundsOf({ minimum, maximum }) {
  if (minimum !== undefined && maximum !== undefined) return `${format(minimum)} to ${format(maximum)}`;
  if (minimum !== undefined) return `from ${format(minimum)}`;
  return maximum === undefined ? '' : `up to ${format(maximum)}`;
}
