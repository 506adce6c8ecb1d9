import { parseArgs } from 'node:util';
import { measurePod } from './measure.js';
import { describeSpikes } from './report.js';

// Prints the tables of docs/kubernetes.md. Without the figures of a pod as options, it first measures them here.
const { values } = parseArgs({
  options: { 'answer-ms': { type: 'string' }, 'refusal-ms': { type: 'string' } },
});
const given = { answerMs: Number(values['answer-ms']), refusalMs: Number(values['refusal-ms']) };
const pod = Number.isFinite(given.answerMs + given.refusalMs) ? given : await measurePod();
console.log(`CPU time of a pod: ${pod.answerMs} ms per answer, ${pod.refusalMs} ms per refusal\n`);
console.log(`${describeSpikes(pod)}\n`);
console.log('with minReplicas 4\n');
console.log(describeSpikes(pod, { minReplicas: 4 }));
