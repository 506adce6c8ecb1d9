import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, test } from 'vitest';
import { buildTestApp } from '../helpers/app.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';

describe('/openapi.json', () => {
  test('is valid OpenAPI 3.1', async () => {
    await using server = await buildTestApp();
    const { body } = await server.get('/openapi.json');
    expect(body.openapi).toBe('3.1.0');
    const { valid, errors } = await new Validator().validate(body);
    expect(errors).toBe(undefined);
    expect(valid).toBe(true);
  });

  test('has a path for the default model, for each model and each version, and none with a parameter', async () => {
    await using server = await buildTestApp();
    const { body } = await server.get('/openapi.json');
    const predicting = Object.keys(body.paths).filter((path) => path.endsWith('/predict'));
    expect(predicting).toHaveLength(12);
    expect(predicting[0]).toBe('/predict');
    expect(predicting).toContain('/models/credit-risk/versions/20261101_090000/predict');
    expect(predicting.join()).not.toMatch(/[:{]/);
    const ids = predicting.map((path) => body.paths[path].post.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('shows the real features with their ranges and units', async () => {
    await using server = await buildTestApp();
    const { body } = await server.get('/openapi.json');
    const { post } = body.paths['/predict'];
    const { schema, example } = post.requestBody.content['application/json'];
    expect(schema.required).toEqual(['age', 'income', 'credit_score']);
    expect(schema.properties.age).toMatchObject({ type: 'integer', minimum: 18, maximum: 100 });
    expect(post.description).toContain('| `income` | number | 0 to 1000000 | EUR per year |');
    expect(example).toEqual({ age: 42, income: 51234.5, credit_score: 688 });
  });

  test('names the header by which a client limits its wait, as the route reads it', async () => {
    await using server = await buildTestApp();
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

  test('leaves out what cannot answer, and is valid without any model', async () => {
    using folder = createRegistryFolder();
    await using empty = await buildTestApp({ MODELS_DIR: folder.path });
    const { body } = await empty.get('/openapi.json');
    expect(Object.keys(body.paths).filter((path) => path.endsWith('/predict'))).toEqual([]);
    expect(await new Validator().validate(body)).toMatchObject({ valid: true });
  });

  test('keeps a bar in a description from breaking the table of features', async () => {
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

describe('/docs', () => {
  test('is a page whose policy lets it load its own files alone, over plain HTTP too', async () => {
    await using server = await buildTestApp();
    const { status, headers, text } = await server.get('/docs');
    expect(status).toBe(200);
    expect(headers['content-type']).toMatch(/^text\/html/);
    expect(headers['content-security-policy']).toContain("default-src 'self'");
    expect(headers['content-security-policy']).not.toContain('upgrade-insecure-requests');
    const files = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path as string);
    expect(files.length).toBeGreaterThan(3);
    for (const path of files) expect((await server.get(path)).status, path).toBe(200);
  });

  test('is hidden where DOCS is off, with the document behind it', async () => {
    await using server = await buildTestApp({ DOCS: 'off' });
    for (const path of ['/docs', '/docs/', '/docs/json', '/openapi.json', '/docs/static/index.html']) {
      expect((await server.get(path)).status, path).toBe(404);
    }
    expect((await server.get('/health')).status).toBe(200);
  });
});

describe('/errors', () => {
  test('explains each code at the fragment that the type of an error names', async () => {
    await using server = await buildTestApp();
    const problem = await server.get('/nope');
    const [path = '', code] = problem.body.type.split('#');
    const { status, text, headers } = await server.get(path);
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(text).toContain(`id="${code}"`);
  });
});
