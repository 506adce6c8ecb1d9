import { show } from './dom.js';
import { createModelView } from './model-view.js';
import { showModels, showTraffic } from './server-view.js';

const refreshMs = 5_000;
const keyName = 'sardonyx-key';
const get = (id) => document.getElementById(id);
const keyForm = get('key-form');

let view;
let viewed;
let last;
let timer;

/** Sends a request of this page. Rejects if the server does not answer. */
async function ask(path, options = {}) {
  const key = sessionStorage.getItem(keyName);
  const started = performance.now();
  const reply = await fetch(path, {
    ...options,
    headers: {
      accept: 'application/json',
      // The server leaves such rows out of drift, and out of what may get feedback.
      'x-sardonyx-source': 'console',
      ...(key !== null && { 'x-api-key': key }),
      ...options.headers,
    },
  });
  const text = await reply.text();
  const ms = performance.now() - started;
  let body = {};
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy in between may answer with a page of its own.
  }
  return { status: reply.status, body, ms };
}

/** Asks for the data again, and plans the next time. A hidden page asks for nothing. */
async function refresh() {
  clearTimeout(timer);
  if (document.hidden) return;
  get('forget').hidden = sessionStorage.getItem(keyName) === null;
  try {
    const { status, body } = await ask('console/data');
    if (status === 401 || status === 403) return askForKey(body);
    if (status === 200) update(body);
    else setState(`${body.title ?? `Status ${status}`}. ${body.detail ?? ''}`, 'bad');
  } catch {
    setState('The server does not answer. Trying again …', 'bad');
  }
  timer = setTimeout(refresh, refreshMs);
}

function update(data) {
  last = data;
  const wasAsked = !keyForm.hidden;
  keyForm.hidden = true;
  get('console').hidden = false;
  // The field that had the focus is hidden now.
  if (wasAsked) get('title').focus();
  get('version').textContent = data.version;
  setState(...describeState(data));
  showTraffic(get('traffic'), data);
  showChosen();
}

/** The headline, and how bad it is. It is good only if `/health` says `ok`. */
function describeState({ models, problems }) {
  const lost = models.filter(({ problem }) => problem !== undefined).length;
  const texts = [...(lost > 0 ? [`${lost} of ${models.length} models cannot answer`] : []), ...problems];
  if (texts.length > 0) {
    const more = texts.length > 3 ? ` and ${texts.length - 3} more` : '';
    return [`Degraded: ${texts.slice(0, 3).join('; ')}${more}`, lost > 0 ? 'bad' : 'warn'];
  }
  return models.length === 0 ? ['There is no model yet', 'warn'] : ['All models answer', 'good'];
}

function showChosen() {
  const { models } = last;
  const wanted = readFragment();
  const model =
    [wanted, last.default_model].map((it) => models.find(({ name }) => name === it)).find(Boolean) ??
    models[0];
  showModels(get('models'), last, model?.name);
  if (model === undefined) return show(get('main'));
  if (viewed !== model.name) {
    viewed = model.name;
    view = createModelView(model.name, ask);
    show(get('main'), ...view.elements);
  }
  // Its next turn tries again.
  view.show(model, last).catch((error) => console.error(error));
}

function readFragment() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return '';
  }
}

function askForKey(problem) {
  const isWrong = sessionStorage.getItem(keyName) !== null;
  sessionStorage.removeItem(keyName);
  get('console').hidden = true;
  get('forget').hidden = true;
  keyForm.hidden = false;
  if (isWrong) get('key-problem').textContent = [problem.title, problem.detail].filter(Boolean).join('. ');
  setState('An API key is needed', 'warn');
  get('key').focus();
}

function setState(text, kind) {
  const state = get('state');
  // A screen reader reads it out after each change.
  if (state.textContent !== text) state.textContent = text;
  state.className = kind;
}

keyForm.addEventListener('submit', (event) => {
  event.preventDefault();
  const key = get('key').value.trim();
  get('key').value = '';
  // A header takes no other characters: the browser would send no request at all.
  const isPossible = /^[\x21-\x7e]{1,256}$/.test(key);
  get('key-problem').textContent = isPossible ? '' : 'This cannot be a key: paste it as it was shown.';
  if (!isPossible) return;
  sessionStorage.setItem(keyName, key);
  void refresh();
});
get('forget').addEventListener('click', () => {
  sessionStorage.removeItem(keyName);
  location.reload();
});
// The fragment names the model: following this link would choose another one.
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  get('main').focus();
});
addEventListener('hashchange', () => {
  if (last !== undefined) showChosen();
});
document.addEventListener('visibilitychange', () => void refresh());
void refresh();
