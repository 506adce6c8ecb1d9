import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'vitest';
import { fault } from './instruments/fault.js';

interface Operation {
  // biome-ignore lint/suspicious/noExplicitAny: a JSON schema, and a body of any type
  readonly requestBody?: { content: Record<string, { schema: Record<string, any>; example: any }> };
  readonly responses: Record<string, { content?: Record<string, { schema: object }> }>;
}

interface OpenApiDocument {
  readonly paths: Record<string, Record<string, Operation>>;
}

const sampleBody = { age: 42, income: 51234.5, credit_score: 688 };
const parameters: Record<string, string> = { model: 'credit-risk', version: '20261101_090000' };

fault('H13', 'answers and refusals are as /openapi.json says', async ({ server }) => {
  const document = (await (await fetch(`${server.url}/openapi.json?versions=all`)).json()) as OpenApiDocument;
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: 'document', ...document });
  const differences: string[] = [];
  let attempts = 0;

  const ask = async (path: string, method: string, operation: Operation, init: RequestInit = {}) => {
    const response = await fetch(server.url + path, { method: method.toUpperCase(), ...init });
    const text = await response.text();
    attempts += 1;
    const report = (what: string) => differences.push(`${method} ${path} ${response.status}: ${what}`);
    const documented = operation.responses[response.status] ?? operation.responses['default'];
    const type = (response.headers.get('content-type') ?? '').split(';')[0] as string;
    const media = documented?.content?.[type];
    if (media === undefined) report(`${type} is not in the document`);
    else {
      const body = /[/+]json$/.test(type) ? JSON.parse(text) : text;
      const schema = JSON.parse(JSON.stringify(media.schema).replaceAll('"#/', '"document#/'));
      if (!ajv.validate(schema, body)) report(ajv.errorsText());
    }
    return response.status;
  };

  const resolve = ({ $ref, ...schema }: Record<string, unknown>) =>
    typeof $ref === 'string' ? (ajv.getSchema(`document${$ref}`)?.schema as Record<string, unknown>) : schema;

  const submit = async (rows: number) => {
    const row = JSON.stringify({ age: 42, income: 51234.5, credit_score: 688 });
    const headers = { 'content-type': 'application/x-ndjson' };
    const body = `${row}\n`.repeat(rows);
    const path = '/models/credit-risk/predict/batch';
    const answer = await fetch(server.url + path, { method: 'POST', body, headers });
    return ((await answer.json()) as { job_id: string }).job_id;
  };
  const ended = await submit(1);
  const predicted = await fetch(`${server.url}/models/credit-risk/predict`, {
    method: 'POST',
    body: JSON.stringify(sampleBody),
    headers: { 'content-type': 'application/json' },
  });
  const { prediction_id } = (await predicted.json()) as { prediction_id: string };
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      // Only a job that has not ended can be cancelled.
      parameters['job_id'] = method === 'delete' ? await submit(100_000) : ended;
      const real = path.replace(/\{(\w+)\}/g, (_, name: string) => parameters[name] as string);
      const content = operation.requestBody?.content['application/json'];
      if (content === undefined) {
        expect(await ask(real, method, operation)).toBe(200);
        if (path !== real) expect(await ask(path.replace(/\{\w+\}/g, 'nope'), method, operation)).toBe(404);
        continue;
      }
      // For paths with parameters the document does not describe the body.
      const isGeneral = path !== real;
      const takesRows = path.startsWith('/v1/') || path.endsWith('/batch');
      const sample = takesRows ? { instances: [sampleBody] } : sampleBody;
      // Feedback needs a prediction of this server.
      const own = path === '/feedback' ? { prediction_id, actual: 1 } : content.example;
      const example = isGeneral ? sample : own;
      const post = (body: unknown, to = real, headers = { prefer: 'wait=30' }) =>
        ask(to, method, operation, {
          headers: { 'content-type': 'application/json', ...headers },
          body: JSON.stringify(body),
        });
      expect(await post(example), real).toBe(200);
      if (path.endsWith('/batch')) expect(await post(example, real, { prefer: '' })).toBe(202);
      if (isGeneral) expect(await post(example, path.replace(/\{\w+\}/g, 'nope'))).toBe(404);
      expect(await ask(real, method, operation, { body: 'a', headers: { 'content-type': 'a/b' } })).toBe(415);
      const large = 'x'.repeat(9_000_000);
      expect(await post(path.endsWith('/batch') ? { instances: [large] } : large), real).toBe(413);
      if (isGeneral) continue;
      const schema = resolve(content.schema);
      const isValid = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"document#/')));
      for (const body of variantsOf({ schema, example })) {
        const status = await post(body);
        if ((status === 200) !== isValid(body)) {
          differences.push(`${real} says ${status} to ${JSON.stringify(body).slice(0, 200)}`);
        }
      }
    }
  }
  expect(differences).toEqual([]);
  return `differences ${differences.length} in ${attempts} requests`;
});

/** Variants of the example, each with one change. */
function variantsOf({ schema, example }: { schema: Record<string, unknown>; example: unknown }): unknown[] {
  const properties = (schema['properties'] ?? {}) as Record<string, { minimum?: number; maximum?: number }>;
  const row = example as Record<string, unknown>;
  const changed = Object.entries(properties).flatMap(([name, { minimum, maximum }]) => {
    const { [name]: _, ...without } = row;
    const bounds = [minimum, maximum].filter((bound) => bound !== undefined);
    const values = [...bounds, ...bounds.flatMap((bound) => [bound - 1, bound + 1, bound + 0.5])];
    return [without, ...[null, 'text', true, [], {}, ...values].map((value) => ({ ...row, [name]: value }))];
  });
  return [{}, [], null, 1, { ...row, unknown: 1 }, ...changed];
}
