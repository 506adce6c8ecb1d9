import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildTestApp } from '../helpers/app.js';
import { useCliFolder } from '../helpers/cli.js';
import { linearRegression } from '../helpers/onnx-models.js';

const cli = useCliFolder('sardonyx names-');
const run = cli.run;

/** Adds versions whose prediction is `X` times their position, counted from 1. */
async function addAll(...versions: string[]): Promise<string> {
  let last = '';
  for (const [k, version] of versions.entries()) {
    await writeFile(join(cli.path, 'model.onnx'), linearRegression([k + 1]));
    last = (await run('add', join(cli.path, 'model.onnx'), '--name', 'm', '--version', version)).out;
  }
  return last;
}

const answering = async () => JSON.parse((await run('predict', 'm', '{"X":1}')).out).model_version;

/** Runs the command that a text proposes in a shell, as a person would. */
const paste = (text: string) =>
  execFileSync('sh', ['-c', /echo '\{.*$/m.exec(text)?.[0] ?? 'exit 9'], { cwd: cli.path });

describe('the only sound version answers for the model, for every kind of name', () => {
  it.each(['v1', 'v1.2.0'])('%s', async (version) => {
    expect(await addAll(version)).not.toContain('aliases.json');
    expect(await run('check')).toMatchObject({ code: 0, out: expect.stringContaining('All is well.') });
    expect(await answering()).toBe(version);
    await using server = await buildTestApp({ MODELS_DIR: join(cli.path, 'models') });
    expect((await server.get('/health/ready')).status).toBe(200);
    expect((await server.post('/models/m/predict', { X: 2 })).body.prediction).toBe(2);
    const { body } = await server.get('/models/m');
    expect(body.default_version).toBe(version);
    expect(body).not.toHaveProperty('problem');
  });

  it('also beside a refused version', async () => {
    await addAll('final', 'best');
    await writeFile(join(cli.path, 'models/m/best/model.onnx'), 'junk');
    expect(await answering()).toBe('final');
    const { out } = await run('check');
    expect(out).toContain('1 fault.');
    expect(out).toMatch(/final +ready .* default\n/);
  });
});

describe('versions named v and a number are in order', () => {
  it('the highest answers, and add proposes the next number', async () => {
    expect(await addAll('v1', 'v2', 'v10')).not.toContain('aliases.json');
    expect(await answering()).toBe('v10');
    expect((await run('add', join(cli.path, 'model.onnx'), '--name', 'm')).out).toContain('Added m v11');
    expect(await answering()).toBe('v11');
  });

  it('add of a lower version reports that it is not the default, with the command', async () => {
    const out = await addAll('v10', 'v2');
    expect(out).toContain('v10 is still the default of m: v2 comes before it.');
    paste(out);
    expect(await answering()).toBe('v2');
  });

  it('a name with v is refused beside a plain number, and the message names both', async () => {
    await addAll('1');
    const { code, err } = await run('add', join(cli.path, 'model.onnx'), '--name', 'm', '--version', 'v1');
    expect(code).toBe(1);
    expect(err).toContain('1 and v1 have no common order (number and v-number)');
  });
});

describe('of several versions without an order none answers, and each report has the remedy', () => {
  const words =
    'The versions final and final2 of m have no order among their names, so m has no default version. ' +
    'Set the default in m/aliases.json: {"default":"final2"}. ' +
    'Or request one by its name: POST /models/m/versions/final2/predict.';

  it('add reports it, and its command sets the default', async () => {
    const out = await addAll('final', 'final2');
    expect(out).toContain(
      'The versions final, final2 have names without an order: while more than one of them loads, none is the default of m.',
    );
    paste(out);
    expect(await answering()).toBe('final2');
    expect((await run('check')).code).toBe(0);
    const next = await addAll('final3');
    expect(next).toContain('The alias default still names final2.');
    paste(next);
    expect(await answering()).toBe('final3');
  });

  it('check counts it as a fault, and its command sets the default and keeps other aliases', async () => {
    await addAll('final', 'final2');
    await writeFile(join(cli.path, 'models/m/aliases.json'), '{"old":"final"}');
    const { code, out } = await run('check');
    expect(code).toBe(1);
    expect(out).toContain('m: The versions final and final2 of m have no order');
    expect(out).toContain('1 fault.');
    paste(out);
    expect(await answering()).toBe('final2');
    expect(await run('predict', 'm@old', '{"X":1}')).toMatchObject({ code: 0 });
  });

  it('the 503, readiness, GET /models and check have the same text, without Retry-After', async () => {
    await addAll('final', 'final2');
    await using server = await buildTestApp({ MODELS_DIR: join(cli.path, 'models') });
    const asked = await server.post('/models/m/predict', { X: 1 });
    expect(asked).toMatchObject({ status: 503, body: { code: 'model_unavailable', detail: words } });
    const ready = await server.get('/health/ready');
    expect(ready).toMatchObject({ status: 503, body: { reasons: ['no model can answer', `m: ${words}`] } });
    for (const { headers } of [asked, ready]) expect(headers['retry-after']).toBeUndefined();
    expect((await server.get('/models')).body.models[0]).toMatchObject({
      default_version: null,
      problem: words,
    });
    expect((await run('check')).out).toContain(`m: ${words}`);
    expect((await run('predict', 'm', '{"X":1}')).err).toContain(words);
    expect((await server.post('/models/m/versions/final2/predict', { X: 1 })).body.prediction).toBe(2);
  });

  it('a version without an order does not answer beside one with an order, and add names the default', async () => {
    const out = await addAll('v1', 'v1-final');
    expect(out).toContain('v1 is still the default of m: v1-final has a name without an order.');
    expect(await answering()).toBe('v1');
  });
});
