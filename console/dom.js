/**
 * Makes an element. Texts of the server only become text nodes and attributes, never HTML.
 * @param {string} name
 * @param {Record<string, unknown>} [attributes] undefined and false leave one out
 * @param {...(Node | string | number | null | undefined)} children
 */
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((it) => it !== null && it !== undefined));
  return element;
}

/** A number for people: up to 4 digits. */
export function format(value) {
  if (typeof value !== 'number') return value === null || value === undefined ? '–' : String(value);
  if (Number.isInteger(value)) return value.toLocaleString('en');
  if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(1);
  return Number(value.toPrecision(4)).toLocaleString('en', { maximumFractionDigits: 6 });
}

/** With a space that does not break. */
export function percent(share) {
  return share === null || share === undefined ? '–' : `${(share * 100).toFixed(1)}\u00a0%`;
}

/** A table with a caption; cells are texts or elements. `key` is for `show`. */
export function table(caption, head, rows, key = caption) {
  const cells = (row, name) => row.map((it) => el(name, {}, it instanceof Node ? it : format(it)));
  const headCells = head.map((it) => el('th', { scope: 'col' }, it));
  return el(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption, 'data-key': key },
    el(
      'table',
      {},
      el('caption', {}, caption),
      el('thead', {}, el('tr', {}, ...headCells)),
      el('tbody', {}, ...rows.map((row) => el('tr', {}, ...cells(row, 'td')))),
    ),
  );
}

/**
 * Replaces the children of an element. What is made again at each refresh keeps the focus, and its `details` stay open,
 * by their `data-key`.
 */
export function show(element, ...children) {
  const keyed = () => [...element.querySelectorAll('[data-key]')];
  const open = new Set(keyed().flatMap((it) => (it.open ? [it.dataset.key] : [])));
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  element.replaceChildren(...children.filter((it) => it !== null && it !== undefined));
  for (const it of keyed()) {
    if (open.has(it.dataset.key)) it.open = true;
    if (it.dataset.key === focused) it.focus({ preventScroll: true });
  }
}
