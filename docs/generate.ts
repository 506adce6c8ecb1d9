import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TSchema } from '@sinclair/typebox';
import { describeSchema } from '../src/config/read-config.js';
import { ConfigSchema } from '../src/config/schema.js';

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

Sardonyx is configured by environment variables. An empty variable counts as left out. A wrong value stops
the start, with one line for each problem: the variable, what it got, what it takes.

A file \`.env\` in the folder where the server is started is read as well, or the one that \`ENV_FILE\` names; variables that are set win over it. [.env.example](../.env.example) has them all.

${toTable([['variable', 'default', 'takes', 'meaning'], ...rows])}

\`sardonyx serve\` takes \`--models\`, \`--host\`, \`--port\` and \`--env-file\` in place of \`MODELS_DIR\`, \`HOST\`, \`PORT\` and \`ENV_FILE\`.

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
  // The one that says which file is read says nothing in it.
  const entries = variables
    .filter(([name]) => name !== 'ENV_FILE')
    .map(
      ([name, schema]) =>
        `# ${schema.description}\n# Takes ${describeSchema(schema)}.\n#${name}=${quote(String(schema.default ?? ''))}\n`,
    );
  const head = [
    'Made by `npm run docs` from src/config/. Each line is the default: uncomment what you change.',
    'The server reads it as .env in the folder where it is started; a shell does by `set -a; . ./.env`.',
    'Put a value in single quotes where it has other than letters, digits and _ . , : / @ % + - =',
  ];
  return `${head.map((line) => `# ${line}\n`).join('')}\n${entries.join('\n')}`;
}

/** So that a shell reads the same value. */
function quote(value: string): string {
  return /^[\w.,:/@%+=-]*$/.test(value) ? value : `'${value}'`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, write] of Object.entries(documents)) writeFileSync(path, write());
}
