import { calibrationChart } from './charts.js';
import { el, format, percent, show, table } from './dom.js';

/** Names that trainings give to a metric, without case and signs. */
const metricNames = {
  accuracy: ['accuracy', 'accuracyscore', 'testaccuracy'],
  f1: ['macrof1', 'f1macro', 'f1', 'f1score'],
  brier: ['brier', 'brierscore', 'brierscoreloss'],
  mae: ['mae', 'meanabsoluteerror', 'testmae'],
  rmse: ['rmse', 'rootmeansquarederror', 'testrmse'],
  r2: ['r2', 'r2score', 'rsquared'],
};

/**
 * The live quality of each version beside the figures of its training, or why there is none.
 * @param {{ version: string, metrics?: Record<string, number> }[]} versions as the server lists them
 * @param {{ version: string, decline?: { figure: string } }[]} findings of this model
 */
export function showQuality(section, answer, problem, { versions, findings, current }) {
  const head = el('h3', {}, 'Live quality');
  if (problem !== undefined) return show(section, head, el('p', { class: 'notice' }, problem));
  const period = duration(answer.window_seconds);
  const metricsOf = (version) => versions.find((it) => it.version === version)?.metrics ?? {};
  if (answer.versions.length === 0) {
    const how = `No feedback in the last ${period}. Send what really happened to `;
    const trained = listMetrics(metricsOf(current));
    return show(
      section,
      head,
      el('p', { class: 'notice' }, how, el('code', {}, 'POST /feedback'), '.'),
      trained === '' ? null : el('p', { class: 'fine' }, `Training of version ${current}: ${trained}`),
    );
  }
  const parts = answer.versions.map((it) => {
    const worse = findings.find(({ version }) => version === it.version)?.decline?.figure;
    return el('div', { class: 'quality' }, ...showVersion(it, metricsOf(it.version), worse, period));
  });
  show(section, head, ...parts);
}

/** The figure of a training that a table has room for. */
export function mainMetric(metrics = {}) {
  const accuracy = find(metrics, 'accuracy');
  if (accuracy !== undefined) return `accuracy ${percent(accuracy)}`;
  const [name] = ['mae', 'rmse', 'r2'].filter((it) => find(metrics, it) !== undefined);
  return name === undefined ? '–' : `${titles[name]} ${format(find(metrics, name))}`;
}

const titles = { mae: 'MAE', rmse: 'RMSE', r2: 'R²' };

function showVersion(quality, metrics, worse, period) {
  const count = `${format(quality.feedback)} feedback${quality.feedback === 1 ? '' : 's'}`;
  const title = el('h4', {}, `Version ${quality.version}: ${count} in the last ${period}`);
  const { outputs } = quality;
  if (outputs === undefined) return [title, ...showClassification(quality, metrics, worse)];
  if (outputs.length === 1) {
    const [{ mae, rmse, bias }] = outputs;
    const r2 = find(metrics, 'r2');
    const figures = [
      showFigure('MAE', format(mae), format(find(metrics, 'mae')), worse === 'mae'),
      showFigure('RMSE', format(rmse), format(find(metrics, 'rmse')), worse === 'rmse'),
      showFigure('Bias', format(bias)),
      r2 === undefined ? null : showFigure('R²', 'not measured', format(r2)),
    ];
    return [title, el('dl', { class: 'figures' }, ...figures), showOthers(metrics, ['mae', 'rmse', 'r2'])];
  }
  const rows = outputs.map((it) => [it.output ?? 'prediction', it.mae, it.rmse, it.bias]);
  const head = ['output', 'MAE', 'RMSE', 'bias'];
  return [title, table('Errors', head, rows, `${quality.version} errors`), showOthers(metrics, [])];
}

function showClassification(quality, metrics, worse) {
  const { version, classes, calibration, confusion } = quality;
  const figures = [
    showFigure(
      'Accuracy',
      percent(quality.accuracy),
      percent(find(metrics, 'accuracy')),
      worse === 'accuracy',
    ),
    showFigure('Macro F1', percent(quality.macro?.f1), percent(find(metrics, 'f1'))),
    showFigure('Brier score', format(quality.brier_score), format(find(metrics, 'brier'))),
  ];
  const rows = classes.map((it) => [
    String(it.class),
    it.actual,
    percent(it.precision),
    percent(it.recall),
    percent(it.f1),
  ]);
  const head = ['class', 'actual', 'precision', 'recall', 'F1'];
  return [
    el('dl', { class: 'figures' }, ...figures),
    showOthers(metrics, ['accuracy', 'f1', 'brier']),
    el(
      'div',
      { class: 'beside' },
      table('Classes', head, rows, `${version} classes`),
      confusion !== null && confusion.classes.length <= 12 ? showConfusion(confusion, version) : null,
      calibration === null ? null : showCalibration(calibration, version),
    ),
  ];
}

/** A live figure with that of the training below it. `–` stands for no such figure. */
function showFigure(name, live, trained = '–', isWorse = false) {
  return el(
    'div',
    {},
    el('dt', {}, name),
    el('dd', {}, live),
    trained === '–' ? null : el('dd', { class: 'trained' }, `training ${trained}`),
    isWorse ? el('dd', { class: 'badge bad' }, 'worse than in training') : null,
  );
}

function showOthers(metrics, shown) {
  const text = listMetrics(metrics, shown);
  return text === '' ? null : el('p', { class: 'fine' }, `Also from the training: ${text}`);
}

/** The metrics of a manifest, without those that are shown elsewhere. */
function listMetrics(metrics, shown = []) {
  const rest = Object.entries(metrics).filter(([name]) => !shown.some((it) => isCalled(name, it)));
  return rest
    .slice(0, 12)
    .map(([name, value]) => `${name} ${format(value)}`)
    .join(', ');
}

const isCalled = (name, metric) => metricNames[metric].includes(name.toLowerCase().replace(/[_-]/g, ''));

function find(metrics, metric) {
  return Object.entries(metrics).find(([name]) => isCalled(name, metric))?.[1];
}

function showCalibration({ of, bins }, version) {
  const rows = bins
    .filter(({ count }) => count > 0)
    .map(({ from, to, count, predicted, observed }) => [
      `${percent(from)} to ${percent(to)}`,
      count,
      percent(predicted),
      percent(observed),
    ]);
  const head = ['probability', 'predictions', 'mean', 'observed'];
  return el(
    'figure',
    {},
    calibrationChart(bins),
    el('figcaption', {}, `Predicted probability of ${of} → observed ↑`),
    el(
      'details',
      { 'data-key': `${version} calibration` },
      el('summary', { 'data-key': `${version} calibration summary` }, 'Values'),
      table('Calibration', head, rows, `${version} calibration table`),
    ),
  );
}

function showConfusion({ classes, counts }, version) {
  const rows = counts.map((row, k) => [el('strong', {}, String(classes[k])), ...row]);
  return table('Actual ↓ and predicted →', ['', ...classes.map(String)], rows, `${version} confusion`);
}

function duration(seconds) {
  if (seconds % 86_400 === 0) return seconds === 86_400 ? 'day' : `${seconds / 86_400} days`;
  if (seconds % 3_600 === 0) return seconds === 3_600 ? 'hour' : `${seconds / 3_600} hours`;
  return `${format(seconds)} s`;
}
