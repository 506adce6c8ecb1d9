import { calibrationChart } from './charts.js';
import { el, format, percent, show, table } from './dom.js';

/** The live quality of each version, or why there is none. */
export function showQuality(section, answer, problem) {
  const head = el('h3', {}, 'Live quality');
  if (problem !== undefined) return show(section, head, el('p', { class: 'notice' }, problem));
  const { versions, window_seconds: seconds } = answer;
  if (versions.length === 0) {
    const how = `No feedback in the last ${duration(seconds)}. Send what really happened to `;
    return show(section, head, el('p', { class: 'notice' }, how, el('code', {}, 'POST /feedback'), '.'));
  }
  show(section, head, ...versions.map((it) => el('div', { class: 'quality' }, ...showVersion(it))));
}

function showVersion(quality) {
  const title = el('h4', {}, `Version ${quality.version}, ${format(quality.feedback)} with feedback`);
  if (quality.outputs !== undefined) {
    const rows = quality.outputs.map((it) => [it.output ?? 'prediction', it.mae, it.rmse, it.bias]);
    return [title, table('Errors', ['output', 'MAE', 'RMSE', 'bias'], rows)];
  }
  const figures = [
    ['Accuracy', percent(quality.accuracy)],
    ['Macro F1', percent(quality.macro?.f1)],
    ['Brier score', format(quality.brier_score)],
  ];
  const classes = quality.classes.map((it) => [
    String(it.class),
    it.actual,
    percent(it.precision),
    percent(it.recall),
    percent(it.f1),
  ]);
  const { calibration, confusion } = quality;
  return [
    title,
    el(
      'dl',
      { class: 'figures' },
      ...figures.map(([name, it]) => el('div', {}, el('dt', {}, name), el('dd', {}, it))),
    ),
    el(
      'div',
      { class: 'beside' },
      table('Classes', ['class', 'actual', 'precision', 'recall', 'F1'], classes),
      confusion !== null && confusion.classes.length <= 12 ? showConfusion(confusion) : null,
      calibration === null
        ? null
        : el(
            'figure',
            {},
            calibrationChart(calibration.bins),
            el('figcaption', {}, `Predicted probability of ${calibration.of} → observed ↑`),
          ),
    ),
  ];
}

function showConfusion({ classes, counts }) {
  const rows = counts.map((row, k) => [el('strong', {}, String(classes[k])), ...row]);
  return table('Actual ↓ and predicted →', ['', ...classes.map(String)], rows);
}

function duration(seconds) {
  if (seconds % 86_400 === 0) return seconds === 86_400 ? 'day' : `${seconds / 86_400} days`;
  if (seconds % 3_600 === 0) return seconds === 3_600 ? 'hour' : `${seconds / 3_600} hours`;
  return `${format(seconds)} s`;
}
