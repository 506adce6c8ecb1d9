import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, test } from 'vitest';
import { type ErrorCode, errorCatalogue } from '../../src/errors.js';
import { listDirectory } from '../../src/models/registry/directory.js';
import { buildEmptyApp, buildTestApp } from '../helpers/app.js';
import { entry } from '../helpers/keys.js';
import { echo, linearRegression, unknownRank } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { shareTestApp } from '../helpers/shared-app.js';

// biome-ignore lint/suspicious/noExplicitAny: the tests check the types of the document's parts
type Document = any;

const predictingPaths = ({ paths }: Document) =>
  Object.keys(paths).filter((path) => path.endsWith('/predict'));

const operationsOf = ({ paths }: Document) =>
  Object.entries<Document>(paths).flatMap(([path, operations]) =>
    Object.values<Document>(operations).map((operation) => ({ path, operation })),
  );

function walk(value: unknown, see: (schema: Record<string, unknown>) => void): void {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) see(value as Record<string, unknown>);
  for (const member of Object.values(value)) walk(member, see);
}

const server = shareTestApp();

describe('/openapi.json', () => {
  test('is valid OpenAPI 3.1', async () => {
    const { body } = await server.get('/openapi.json');
    expect(body.openapi).toBe('3.1.0');
    const { valid, errors } = await new Validator().validate(body);
    expect(errors).toBe(undefined);
    expect(valid).toBe(true);
  });

  test('has paths for the default model, for each model and for any model, but none for versions', async () => {
    const { body } = await server.get('/openapi.json');
    expect(predictingPaths(body)).toEqual([
      '/predict',
      '/models/breast-cancer/predict',
      '/models/churn/predict',
      '/models/credit-risk/predict',
      '/models/diabetes/predict',
      '/models/digits/predict',
      '/models/{model}/predict',
    ]);
  });

  test('has a path for each version with ?versions=all', async () => {
    const { body } = await server.get('/openapi.json?versions=all');
    const paths = predictingPaths(body);
    expect(paths).toHaveLength(14);
    expect(paths).toContain('/models/credit-risk/versions/20261101_090000/predict');
    expect(paths).toContain('/models/{model}/versions/{version}/predict');
    expect(body.paths['/models/credit-risk/versions/20261101_090000/predict'].post.operationId).toBe(
      'predictCreditRiskVersion_20261101_090000',
    );
    const { valid } = await new Validator().validate(body);
    expect(valid).toBe(true);
    expect((await server.get('/openapi.json?versions=some')).status).toBe(400);
  });

  test("describes KServe's routes with the rows of each model and KServe's form of errors", async () => {
    const { body } = await server.get('/openapi.json?versions=all');
    const paths = Object.keys(body.paths).filter((path) => path.startsWith('/v1/'));
    expect(paths).toEqual(
      expect.arrayContaining([
        '/v1/models',
        '/v1/models/{model}',
        '/v1/models/{model}/labels/{version}/metadata',
        '/v1/models/credit-risk:predict',
        '/v1/models/{model}:predict',
        '/v1/models/{model}/versions/{version}:predict',
        '/v1/models/{model}/labels/{version}:predict',
      ]),
    );
    expect(paths.filter((path) => /classify|explain|\(|::/.test(path))).toEqual([]);
    const { post } = body.paths['/v1/models/credit-risk:predict'];
    expect(post.operationId).toBe('inferCreditRisk');
    const { CreditRiskInstances: rows, CreditRiskPredictions: answers } = body.components.schemas;
    expect(rows.properties.instances).toEqual({
      type: 'array',
      minItems: 1,
      maxItems: 1_024,
      items: { $ref: '#/components/schemas/CreditRiskRequest' },
    });
    expect(answers.properties.predictions.items.anyOf).toEqual([
      { enum: [0, 1] },
      { $ref: '#/components/schemas/CreditRiskAnswer' },
    ]);
    const { DigitsInstances: images } = body.components.schemas;
    expect(images.properties.instances).toMatchObject({
      maxItems: 1_024,
      items: { type: 'array', minItems: 8, maxItems: 8, items: { type: 'array', minItems: 8, maxItems: 8 } },
    });
    for (const path of paths) {
      for (const { responses } of Object.values<Document>(body.paths[path])) {
        for (const [status, { content }] of Object.entries<Document>(responses)) {
          if (status === '200') continue;
          expect(Object.keys(content), `${path} ${status}`).toEqual(['application/json']);
          expect(content['application/json'].schema.$ref).toBe('#/components/schemas/V1Error');
        }
      }
    }
  });

  test('gives every operation a unique id that generators can use', async () => {
    for (const query of ['', '?versions=all']) {
      const { body } = await server.get(`/openapi.json${query}`);
      const ids = operationsOf(body).map(({ operation }) => operation.operationId);
      for (const id of ids) expect(id).toMatch(/^[a-z][A-Za-z0-9_]*$/);
      expect(new Set(ids.map((id) => id.replaceAll('_', '').toLowerCase())).size).toBe(ids.length);
      expect(ids).toEqual(
        expect.arrayContaining(['predict', 'predictCreditRisk', 'listModels', 'getHealth']),
      );
    }
  });

  test('keeps the operation id of a model that gets a new version', async () => {
    using folder = createRegistryFolder();
    const manifest = { task: 'regression', features: [{ name: 'x', type: 'number' }] } as const;
    const idOf = async () => {
      await using server = await buildTestApp({ MODELS_DIR: folder.path });
      const { post } = (await server.get('/openapi.json')).body.paths['/models/the-model/predict'];
      return [post.operationId, post.requestBody.content['application/json'].schema.$ref];
    };
    folder.addVersion('the-model', '1', { manifest, model: linearRegression([1]) });
    const before = await idOf();
    folder.addVersion('the-model', '2', { manifest, model: linearRegression([2]) });
    expect(await idOf()).toEqual(before);
    expect(before).toEqual(['predictTheModel', '#/components/schemas/TheModelRequest']);
  });

  test('shows the real features with their ranges and units', async () => {
    const { body } = await server.get('/openapi.json');
    const { post } = body.paths['/predict'];
    const { schema, example } = post.requestBody.content['application/json'];
    const { required, properties } = body.components.schemas[schema.$ref.split('/').at(-1)];
    expect(required).toEqual(['age', 'income', 'credit_score']);
    expect(properties.age).toMatchObject({ type: 'integer', minimum: 18, maximum: 100 });
    expect(post.description).toContain('| `income` | number | 0 to 1000000 | EUR per year |');
    expect(example).toEqual({ age: 42, income: 51234.5, credit_score: 688 });
  });

  test('describes the 429 of each route with a rate limit, and of no other route', async () => {
    const { body } = await server.get('/openapi.json');
    for (const { path, operation } of operationsOf(body)) {
      const { 429: refusal, 200: answer } = operation.responses;
      const isCounted = !/^\/($|health|metrics)/.test(path);
      expect(refusal !== undefined, path).toBe(isCounted);
      expect('ratelimit' in answer.headers, path).toBe(isCounted);
      if (!isCounted) continue;
      expect(Object.keys(refusal.headers)).toEqual(
        expect.arrayContaining(['retry-after', 'ratelimit', 'ratelimit-policy']),
      );
      expect(refusal.description).toContain('rate_limited');
    }
  });

  test('describes each error of the catalogue that a client can get', async () => {
    await using server = await buildTestApp({ API_KEYS: JSON.stringify([entry('a')]) });
    const { body } = await server.get('/openapi.json');
    const shown = new Set(operationsOf(body).flatMap(({ operation }) => Object.keys(operation.responses)));
    // The first two never come from a described operation. After the third, the client is gone.
    const never: readonly ErrorCode[] = ['not_found', 'method_not_allowed', 'client_closed'];
    const codes = (Object.keys(errorCatalogue) as ErrorCode[]).filter((code) => !never.includes(code));
    const described = JSON.stringify(body.paths);
    for (const code of codes) {
      expect(shown, code).toContain(String(errorCatalogue[code].status));
      expect(described, code).toContain(`\`${code}\`: `);
    }
  });

  test('has an enum for each choice of texts, and `items` in each array', async () => {
    using folder = createRegistryFolder();
    folder.addVersion('any-rank', '1', { manifest: { task: 'tensor' }, model: unknownRank() });
    folder.addVersion('batch', '1', { manifest: { task: 'tensor' }, model: echo('string', ['N', 2]) });
    await using server = await buildTestApp({ MODELS_DIR: folder.path });
    for (const path of [
      '/openapi.json?versions=all',
      '/models/any-rank/versions/1',
      '/models/batch/versions/1',
    ]) {
      const faults: string[] = [];
      walk((await server.get(path)).body, (schema) => {
        if (schema['type'] === 'array' && !('items' in schema))
          faults.push(`no items: ${JSON.stringify(schema)}`);
        const { anyOf } = schema;
        const isChoice = (it: Record<string, unknown>) => 'const' in it || Array.isArray(it['enum']);
        if (Array.isArray(anyOf) && anyOf.length > 1 && anyOf.every(isChoice)) {
          faults.push(`no enum: ${JSON.stringify(schema)}`);
        }
      });
      expect(faults, path).toEqual([]);
    }
  });

  test('describes x-request-timeout-ms with the bounds that the route has', async () => {
    const { post } = (await server.get('/openapi.json')).body.paths['/predict'];
    const [{ name, in: place, schema }] = post.parameters;
    expect(place).toBe('header');
    const statusFor = async (value: number) => {
      const example = post.requestBody.content['application/json'].example;
      return (await server.post('/predict', example, { [name]: String(value) })).status;
    };
    expect(await statusFor(schema.maximum)).toBe(200);
    expect(await statusFor(schema.maximum + 1)).toBe(400);
    expect(await statusFor(schema.minimum - 1)).toBe(400);
    expect(post.responses['400'].description).toContain('invalid_request');
  });

  test('is valid without any model', async () => {
    await using empty = await buildEmptyApp();
    const { body } = await empty.get('/openapi.json');
    expect(predictingPaths(body)).toEqual(['/models/{model}/predict']);
    expect(await new Validator().validate(body)).toMatchObject({ valid: true });
  });

  test('escapes a bar in the table of features', async () => {
    using folder = createRegistryFolder();
    const feature = { name: 'a|b', type: 'number', unit: 'x|y', nullable: true, default: 2 } as const;
    folder.addVersion('odd', '1', {
      manifest: { task: 'regression', features: [feature] },
      model: linearRegression([1]),
    });
    await using server = await buildTestApp({ MODELS_DIR: folder.path });
    const { description } = (await server.get('/openapi.json')).body.paths['/predict'].post;
    expect(description).toContain('| `a\\|b` | number | null; 2 when left out | x\\|y |  |');
  });
});

describe('the documents', () => {
  const forms = ['/openapi.json', '/docs/json', '/docs/yaml'];

  test('have the same bytes until the models change', async () => {
    using folder = createRegistryFolder();
    const manifest = { task: 'regression', features: [{ name: 'x', type: 'number' }] } as const;
    folder.addVersion('first', '1', { manifest, model: linearRegression([1]) });
    await using server = await buildTestApp({ MODELS_DIR: folder.path });
    const before = await Promise.all(forms.map((path) => server.get(path)));
    for (const [k, path] of forms.entries()) {
      const again = await server.get(path);
      expect([again.text, again.headers['etag']], path).toEqual([
        before[k]?.text,
        before[k]?.headers['etag'],
      ]);
    }
    folder.addVersion('second', '1', { manifest, model: linearRegression([1]) });
    await server.app.registry.apply(await listDirectory(folder.path));
    for (const [k, path] of forms.entries()) {
      const { text, headers } = await server.get(path);
      expect(headers['etag'], path).not.toBe(before[k]?.headers['etag']);
      expect(text).toContain('/models/second/predict');
    }
  });

  test('are answered with 304 if the client has them', async () => {
    for (const path of [...forms, '/docs', '/docs/static/swagger-ui.css']) {
      const etag = String((await server.get(path)).headers['etag']);
      for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        const { status, text, headers } = await server.get(path, { 'if-none-match': tags });
        expect([status, text, headers['etag']], path).toEqual([304, '', etag]);
      }
      expect((await server.get(path, { 'if-none-match': '"other"' })).status).toBe(200);
    }
  });
});

describe('/docs', () => {
  test('has a policy that lets the page load only files of this server, also over plain HTTP', async () => {
    const { status, headers, text } = await server.get('/docs');
    expect(status).toBe(200);
    expect(headers['content-type']).toMatch(/^text\/html/);
    expect(headers['content-security-policy']).toContain("default-src 'self'");
    expect(headers['content-security-policy']).not.toContain('upgrade-insecure-requests');
    const files = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path as string);
    expect(files.length).toBeGreaterThan(3);
    for (const path of files) expect((await server.get(path)).status, path).toBe(200);
  });

  test('is 404 with DOCS=off, and so is the document', async () => {
    await using server = await buildEmptyApp({ DOCS: 'off' });
    for (const path of ['/docs', '/docs/', '/docs/json', '/openapi.json', '/docs/static/index.html']) {
      expect((await server.get(path)).status, path).toBe(404);
    }
    expect((await server.get('/health')).status).toBe(200);
  });
});

describe('/errors', () => {
  test('explains a code at the fragment in the `type` of its error', async () => {
    const problem = await server.get('/nope');
    const [path = '', code] = problem.body.type.split('#');
    const { status, text, headers } = await server.get(path);
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(text).toContain(`id="${code}"`);
  });
});
