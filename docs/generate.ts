import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TSchema } from '@sinclair/typebox';
import { ConfigSchema } from '../src/config/schema.js';
import { describeSchema } from '../src/config.js';

/** The documents that are made from the code; `npm run docs` writes them, and a test compares them. */
export const documents: Readonly<Record<string, () => string>> = {
  'docs/configuration.md': describeConfiguration,
  '.env.example': describeEnvironment,
};

const variables = Object.entries<TSchema>(ConfigSchema.properties);

function describeConfiguration(): string {
  const rows = variables.map(([name, schema]) => [
    `\`${name}\``,
    schema.default === undefined ? '' : `\`${schema.default}\``,
    describeSchema(schema),
    schema.description ?? '',
  ]);
  return `<!-- Made by \`npm run docs\` from src/config/. -->
# Configuration

Sardonyx is configured by environment variables alone. An empty variable counts as left out. A wrong value stops
the start, with one line for each problem: the variable, what it got, what it takes.

${toTable([['variable', 'default', 'takes', 'meaning'], ...rows])}

\`sardonyx serve\` takes \`--models\`, \`--host\` and \`--port\` in place of \`MODELS_DIR\`, \`HOST\` and \`PORT\`.

A variable whose name is at most two letters away from one of these, such as \`REDIS_URI\`, is told of in the log at the start.
`;
}

/** A Markdown table, laid out as Biome does it. */
function toTable(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const widths = head.map((_, k) => Math.max(...rows.map((row) => row[k]?.length ?? 0)));
  const lines = [head, widths.map((width) => '-'.repeat(width)), ...body].map(
    (row) => `| ${widths.map((width, k) => (row[k] ?? '').padEnd(width)).join(' | ')} |`,
  );
  return lines.join('\n');
}

function describeEnvironment(): string {
  const entries = variables.map(
    ([name, schema]) =>
      `# ${schema.description}\n# Takes ${describeSchema(schema)}.\n#${name}=${schema.default ?? ''}\n`,
  );
  return `# Made by \`npm run docs\` from src/config/. Each line is the default: uncomment what you change.\n\n${entries.join('\n')}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, write] of Object.entries(documents)) writeFileSync(path, write());
}
