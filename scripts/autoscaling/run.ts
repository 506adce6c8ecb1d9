import { parseArgs } from 'node:util';
import { measurePod } from './measure.js';
import { describeSpikes } from './report.js';

// Prints the tables of docs/kubernetes.md. Without the figures of a pod it measures them on this machine first.
const { values } = parseArgs({
  options: { 'answer-ms': { type: 'string' }, 'refusal-ms': { type: 'string' } },
});
const given = { answerMs: Number(values['answer-ms']), refusalMs: Number(values['refusal-ms']) };
const pod = Number.isFinite(given.answerMs + given.refusalMs) ? given : await measurePod();
console.log(`a pod: ${pod.answerMs} ms of the processor an answer, ${pod.refusalMs} ms a refusal\n`);
console.log(`${describeSpikes(pod)}\n`);
console.log('with minReplicas 4\n');
console.log(describeSpikes(pod, { minReplicas: 4 }));
