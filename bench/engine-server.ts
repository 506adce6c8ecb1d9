import Fastify from 'fastify';
import type { Tensors } from '../src/inference/tensors/tensor.js';

/** A model of the bench behind one path: a classification with one float input. */
export interface EngineRoute {
  readonly schema: Record<string, unknown>;
  readonly modelFile: string;
  readonly features: readonly string[];
}

// A service as written by hand for one model: Fastify, the schema of the body, and one run of the engine for all rows
// of a loop turn. It is the lower bound for a server that runs a model.
const { openSession } = (await import(
  '../dist/inference/engine/session.js' as string
)) as typeof import('../src/inference/engine/session.js');
const routes = JSON.parse(process.argv[2] ?? '{}') as Record<string, EngineRoute>;
const number = { type: 'number' };
const response = {
  type: 'object',
  properties: {
    prediction: { type: 'integer' },
    probability: number,
    probabilities: { type: 'object', properties: { '0': number, '1': number } },
  },
};
const outputs = ['label', 'probabilities'];

interface Waiting {
  readonly row: Readonly<Record<string, number>>;
  readonly resolve: (answer: object) => void;
}

function createPredict({ modelFile, features }: EngineRoute): (row: Waiting['row']) => Promise<object> {
  const session = openSession(modelFile, 1);
  let waiting: Waiting[] = [];
  const run = () => {
    const batch = waiting;
    waiting = [];
    const data = new Float32Array(batch.length * features.length);
    for (const [k, { row }] of batch.entries()) {
      for (const [j, name] of features.entries()) data[k * features.length + j] = row[name] as number;
    }
    const feeds: Tensors = { X: { type: 'float32', dims: [batch.length, features.length], data } };
    const given = session.run(feeds, outputs);
    const labels = given['label']?.data as BigInt64Array;
    const scores = given['probabilities']?.data as Float32Array;
    for (const [k, { resolve }] of batch.entries()) {
      const prediction = Number(labels[k]);
      const [zero, one] = [scores[2 * k] as number, scores[2 * k + 1] as number];
      const probabilities = { '0': zero, '1': one };
      resolve({ prediction, probability: prediction === 0 ? zero : one, probabilities });
    }
  };
  return (row) =>
    new Promise((resolve) => {
      if (waiting.length === 0) setImmediate(run);
      waiting.push({ row, resolve });
    });
}

const app = Fastify();
for (const [path, route] of Object.entries(routes)) {
  const predict = createPredict(route);
  app.post(path, { schema: { body: route.schema, response: { 200: response } } }, (request) =>
    predict(request.body as Waiting['row']),
  );
}
await app.listen({ port: 0, host: '127.0.0.1' });
process.on('message', () => process.send?.(process.cpuUsage()));
process.on('disconnect', () => process.exit(0));
const address = app.server.address();
process.send?.({ port: typeof address === 'object' ? address?.port : undefined });
