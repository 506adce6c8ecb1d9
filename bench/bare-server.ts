import Fastify from 'fastify';

// A bare Fastify route for each model of the bench: the same body schema, a constant answer, nothing else.
const schemas = JSON.parse(process.argv[2] ?? '{}') as Record<string, Record<string, unknown>>;
const answer = {
  prediction: 1,
  probability: 0.9553415,
  probabilities: { '0': 0.044658482, '1': 0.9553415 },
  model: 'credit-risk',
  model_version: '20261115_143000',
  prediction_id: 'a4391dba-183d-475b-a155-891f0547bdef',
};
const number = { type: 'number' };
const response = {
  type: 'object',
  properties: {
    prediction: { type: 'integer' },
    probability: number,
    probabilities: { type: 'object', properties: { '0': number, '1': number } },
    model: { type: 'string' },
    model_version: { type: 'string' },
    prediction_id: { type: 'string' },
  },
};
const app = Fastify();
for (const [path, body] of Object.entries(schemas)) {
  app.post(path, { schema: { body, response: { 200: response } } }, async () => answer);
}
await app.listen({ port: 0, host: '127.0.0.1' });
process.on('message', () => process.send?.(process.cpuUsage()));
process.on('disconnect', () => process.exit(0));
const address = app.server.address();
process.send?.({ port: typeof address === 'object' ? address?.port : undefined });
