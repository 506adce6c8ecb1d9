import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fault } from './instruments/fault.js';
import { isFullSize, sizeNote } from './instruments/full-size.js';
import { installGenerators, nodeTool, pythonTool } from './instruments/generator-tools.js';

const tools = installGenerators();
const temp = mkdtempSync(join(tmpdir(), 'sardonyx-clients-'));
afterAll(() => rmSync(temp, { recursive: true }));
// Far above the requests of these rows: a 429 would say nothing about the document.
const environment = { RATE_LIMIT_MAX: '1000000' };
const forms = ['', '?versions=all'];

const askWithPython = `
import sys
from sardonyx_client import Client
from sardonyx_client.api.credit_risk import predict_credit_risk
from sardonyx_client.models import CreditRiskRequest
body = CreditRiskRequest(age=42, income=51234.5, credit_score=688)
print(predict_credit_risk.sync(client=Client(base_url=sys.argv[1]), body=body).model)
`;
const askWithTypeScript = `
import { predictCreditRisk } from './hey/sdk.gen.js';
const { data } = await predictCreditRisk({
  baseUrl: process.argv[2] as string,
  body: { age: 42, income: 51234.5, credit_score: 688 },
});
console.log(data?.model);
`;

if ('missing' in tools) {
  test.skip(`H16 clients and tests that are generated from /openapi.json work: ${tools.missing}`, () =>
    undefined);
} else {
  const { folder } = tools;
  const run = (file: string, ...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(file, args, {
      cwd: temp,
      encoding: 'utf8',
      timeout: 240_000,
    });
    expect(status, `${file} ${args.join(' ')}\n${stdout}\n${stderr}`).toBe(0);
    return stdout;
  };

  fault(
    'H16',
    'clients that are generated from /openapi.json compile, and get predictions',
    async ({ server }) => {
      for (const query of forms) {
        writeFileSync(join(temp, 'a.json'), await (await fetch(`${server.url}/openapi.json${query}`)).text());
        const python = ['generate', '--path', 'a.json', '--output-path', 'python', '--overwrite'];
        expect(run(pythonTool(folder, 'openapi-python-client'), ...python)).not.toContain('WARNING');
        run(pythonTool(folder, 'python'), '-m', 'compileall', '-q', 'python');
        const models = ['--input', 'a.json', '--input-file-type', 'openapi', '--output', 'models.py'];
        const types = ['--output-model-type', 'pydantic_v2.BaseModel', '--formatters', 'builtin'];
        run(pythonTool(folder, 'datamodel-codegen'), ...models, ...types);
        run(pythonTool(folder, 'python'), 'models.py');
        run(nodeTool(folder, 'openapi-typescript'), 'a.json', '-o', 'types.ts');
        run(nodeTool(folder, 'openapi-ts'), '-i', 'a.json', '-o', 'hey');
        const bundler = ['--module', 'esnext', '--moduleResolution', 'bundler', '--target', 'es2022'];
        const strict = ['--noEmit', '--strict', ...bundler, '--lib', 'es2023,dom,dom.iterable'];
        run(nodeTool(folder, 'tsc'), ...strict, 'types.ts', 'hey/index.ts');
      }
      writeFileSync(join(temp, 'python/ask.py'), askWithPython);
      expect(run(pythonTool(folder, 'python'), 'python/ask.py', server.url).trim()).toBe('credit-risk');
      writeFileSync(join(temp, 'ask.mts'), askWithTypeScript);
      const tsx = join(import.meta.dirname, '../../node_modules/tsx/dist/loader.mjs');
      expect(run(process.execPath, '--import', tsx, 'ask.mts', server.url).trim()).toBe('credit-risk');
      return `failures 0 of 4 generators, ${forms.length} documents each; a Python and a TypeScript client got a prediction`;
    },
    { environment, timeoutMs: 300_000 },
  );

  fault(
    'H16',
    'schemathesis finds no failure in /openapi.json',
    async ({ server }) => {
      const cases: string[] = [];
      // By contract a prediction that takes too long is a 504, which is no failure.
      writeFileSync(
        join(temp, 'settings.toml'),
        [
          '[checks.not_a_server_error]',
          'expected-statuses = ["2xx", "3xx", "4xx", "504"]',
          '[checks.positive_data_acceptance]',
          'expected-statuses = ["2xx", "404", "409", "429", "5xx"]',
          // DELETE cancels a job, which can still be read.
          '[checks.use_after_free]',
          'enabled = false',
          // A schema says of CSV and of lines of JSON only that they are texts, not which columns they have.
          '[[operations]]',
          'include-method = "POST"',
          'include-path-regex = "/predict/batch$"',
          'checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "409", "415", "429", "5xx"]',
          '',
        ].join('\n'),
      );
      for (const query of forms) {
        const examples = ['--max-examples', isFullSize ? '200' : '20', '--seed', '1', '--no-color'];
        const document = `${server.url}/openapi.json${query}`;
        const out = run(
          pythonTool(folder, 'schemathesis'),
          ...['--config-file', 'settings.toml', 'run', document, ...examples],
        );
        cases.push(/(\d+) generated, \1 passed/.exec(out)?.[1] ?? out);
      }
      expect(cases).toEqual([expect.stringMatching(/^\d+$/), expect.stringMatching(/^\d+$/)]);
      return `failures 0 of ${cases.join(' and ')} cases${sizeNote}`;
    },
    { environment, timeoutMs: 300_000 },
  );
}
