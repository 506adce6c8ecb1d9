import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ignored = readFileSync('.dockerignore', 'utf8').split('\n');

// The quickstart copied `registry` from a context that leaves it out: the build ended with "no such file".
test.each(['docs/quickstart.md', 'docs/kubernetes.md'])(
  '%s builds the image of models from a folder that .dockerignore leaves in',
  (page) => {
    const text = readFileSync(page, 'utf8');
    const source = /^COPY (\S+) \/models$/m.exec(text)?.[1] as string;
    const context = /^docker build .*-f Dockerfile\.models (\S+)$/m.exec(text)?.[1] as string;
    expect(source).toBeDefined();
    expect(context).toBeDefined();
    if (context !== '.') expect(source).toBe('.');
    else expect(ignored).toContain(`!${source}`);
  },
);

test('docker-compose.yml reads each variable that a page sets for it', () => {
  const compose = readFileSync('docker-compose.yml', 'utf8');
  const names = ['docs/quickstart.md', 'docs/deployment.md'].flatMap((page) =>
    [...readFileSync(page, 'utf8').matchAll(/^echo (\w+)=\S+ >> \.env$/gm)].map(([, name]) => name),
  );
  expect(names).toContain('SARDONYX_MODELS');
  for (const name of names) expect(compose).toContain(`\${${name}:-`);
});
