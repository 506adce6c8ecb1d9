import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}
interface Job {
  readonly needs?: string | readonly string[];
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps?: readonly Step[];
}
interface Workflow {
  readonly permissions: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

const folder = '.github/workflows';
const workflows = readdirSync(folder).map((name) => {
  const text = readFileSync(join(folder, name), 'utf8');
  return { name, text, parsed: parse(text) as Workflow };
});
const stepsOf = ({ jobs }: Workflow) => Object.values(jobs).flatMap(({ steps = [] }) => steps);

describe.each(workflows)('the workflow $name', ({ text, parsed }) => {
  test('gives no right but those that a job names', () => {
    expect(parsed.permissions).toEqual({});
    expect(Object.entries(parsed.jobs).filter(([, { permissions }]) => permissions === undefined)).toEqual(
      [],
    );
  });

  test('pins each action by its commit, with the version beside it', () => {
    const uses = text.match(/uses: .*/g)?.filter((line) => !line.includes('uses: ./')) ?? [];
    expect(uses.length).toBeGreaterThan(0);
    expect(uses.filter((line) => !/@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))).toEqual([]);
  });

  test('leaves no credentials in the clone', () => {
    const clones = stepsOf(parsed).filter(({ uses }) => uses?.startsWith('actions/checkout@'));
    expect(clones.filter((step) => step.with?.['persist-credentials'] !== false)).toEqual([]);
  });

  test('puts no text of others into a script', () => {
    expect(stepsOf(parsed).filter(({ run }) => run?.includes('${{'))).toEqual([]);
  });
});

test('the workflow of changes runs all that .ci/run runs', () => {
  const script = readFileSync('.ci/run', 'utf8');
  const commands = script.match(/^(?:npm|npx) .*$|npx vitest .*(?=; fi)/gm) ?? [];
  const { parsed } = workflows.find(({ name }) => name === 'ci.yml') as (typeof workflows)[number];
  const runs = stepsOf(parsed).map(({ run }) => run);
  expect(commands.length).toBeGreaterThan(4);
  expect(commands.filter((command) => !runs.includes(command))).toEqual([]);
});

test('a tag that package.json does not have reaches neither the image, nor the release, nor npm', () => {
  const { parsed } = workflows.find(({ name }) => name === 'release.yml') as (typeof workflows)[number];
  const before = (name: string): readonly string[] => {
    const needs = [parsed.jobs[name]?.needs ?? []].flat();
    return [...needs, ...needs.flatMap(before)];
  };
  const checks = stepsOf({ ...parsed, jobs: { package: parsed.jobs['package'] ?? {} } });
  expect(checks.some(({ run }) => run?.includes('notes.ts "$GITHUB_REF_NAME"'))).toBe(true);
  for (const name of ['sign', 'publish', 'npm']) expect(before(name), name).toContain('package');
});
