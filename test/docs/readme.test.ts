import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { buildTestApp } from '../helpers/app.js';
import { startServerProcess } from '../helpers/server-process.js';

const readme = readFileSync('README.md', 'utf8');
const blocks = [...readme.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language, text]) => ({
  language,
  text: text as string,
}));
const json = blocks.filter(({ language }) => language === 'json').map(({ text }) => JSON.parse(text));
const bodies = blocks
  .filter(({ text }) => text.includes('/predict -H'))
  .map(({ text }) => /-d '(\{.*\})'/.exec(text)?.[1]);

describe('README.md', () => {
  test('shows the answer that its curl gets', async () => {
    await using server = await buildTestApp();
    const answer = await server.post('/predict', bodies[0]);
    const { prediction_id: _, ...shown } = json[0];
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject(shown);
  });

  test('shows the refusal of a misspelt and an out-of-range feature', async () => {
    await using server = await buildTestApp();
    const answer = await server.post('/predict', bodies[1]);
    const { request_id: _, ...shown } = json[1];
    expect(answer.body).toMatchObject(shown);
  });

  test('has commands for many rows that work as pasted', async () => {
    const section = readme.slice(readme.indexOf('## Many rows'), readme.indexOf('## Serve your own model'));
    const commands = [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, text]) => text as string);
    expect(commands.length).toBe(2);
    await using server = await startServerProcess({ AUTH: 'off' });
    const folder = mkdtempSync(join(tmpdir(), 'sardonyx-readme-'));
    const paste = async (text: string) => {
      const script = text.replaceAll('localhost:8000', new URL(server.url).host);
      return (await promisify(execFile)('bash', ['-ec', script], { cwd: folder })).stdout;
    };
    const now = JSON.parse(await paste(commands[0] as string));
    expect(now).toMatchObject({ status: 'completed', completed_instances: 2, failed_instances: 0 });
    const later = await paste(commands[1] as string);
    expect(later).toContain('event: end');
    const results = later.split('\n').filter((line) => line.startsWith('{"index"'));
    expect(results.map((it) => JSON.parse(it).index)).toEqual(Array.from({ length: 60 }, (_unused, k) => k));
    rmSync(folder, { recursive: true });
  });

  test('builds what npx takes before it names it', () => {
    const own = readme.slice(readme.indexOf('## Serve your own model'));
    expect(own.slice(0, own.indexOf('npx sardonyx'))).toContain('npm run build');
  });

  test('names only scripts that there are', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
    const text = readme + readFileSync('CONTRIBUTING.md', 'utf8');
    const named = [...text.matchAll(/npm (?:run )?([a-z]+)/g)].map(([, name]) => name as string);
    expect(
      named.filter((name) => !['ci', 'install', 'pack', 'run', ...Object.keys(scripts)].includes(name)),
    ).toEqual([]);
  });
});

/** The anchors that GitHub gives to the headings of a page. */
function anchorsOf(page: string): readonly string[] {
  const text = page.replace(/^```[\s\S]*?^```$/gm, '');
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}

describe('the documentation', () => {
  const pages = [
    'README.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    ...readdirSync('docs', { recursive: true, encoding: 'utf8' }).map((name) => join('docs', name)),
  ];
  test.each(pages.filter((name) => name.endsWith('.md')))('%s links only to what is there', (page) => {
    const links = [...readFileSync(page, 'utf8').matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(
      ([, link]) => link as string,
    );
    const broken = links.filter((link) => !/^https?:/.test(link) && !existsSync(join(dirname(page), link)));
    expect(broken).toEqual([]);
  });

  test.each(pages.filter((name) => name.endsWith('.md')))('%s links only to headings that exist', (page) => {
    const links = [...readFileSync(page, 'utf8').matchAll(/\]\(([^)#\s:]*)#([^)\s]+)\)/g)];
    const broken = links.filter(([, path = '', anchor = '']) => {
      const target = path === '' ? page : join(dirname(page), path);
      return !anchorsOf(readFileSync(target, 'utf8')).includes(anchor);
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  });

  test('docs/api.md and /openapi.json have the same routes', async () => {
    await using server = await buildTestApp();
    const documented = Object.keys((await server.get('/openapi.json?versions=all')).body.paths).map((path) =>
      path
        .replace(/^\/models\/(?!\{)[^/]+/, '/models/:model')
        .replace(/^\/v1\/models\/(?!\{)[^/:]+/, '/v1/models/:model')
        .replace(/\/versions\/(?!\{)[^/]+/, '/versions/:version')
        .replace(/\{(\w+)\}/g, ':$1'),
    );
    const table = readFileSync('docs/api.md', 'utf8').split('## A request')[0] as string;
    const listed = [...table.matchAll(/`(?:GET |POST |DELETE )?(\/[^`]*)`/g)].map(
      ([, path]) => path as string,
    );
    const hidden = ['/docs', '/openapi.json'];
    const inTable = listed.filter((path) => !hidden.includes(path));
    const missing = new Set(documented.filter((path) => !inTable.includes(path)));
    expect([...missing], 'routes of the server: add each to the first table of docs/api.md').toEqual([]);
    const gone = inTable.filter((path) => !documented.includes(path));
    expect(gone, 'routes that the server does not have: remove each from docs/api.md').toEqual([]);
  });
});
