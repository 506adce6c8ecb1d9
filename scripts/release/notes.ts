import { readFileSync } from 'node:fs';
import { readSection } from './changelog.js';

// npx tsx scripts/release/notes.ts TAG: prints the changelog's section for a tag such as v0.2.0. Exits with 1 if
// package.json has another version.
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const notes = readSection(readFileSync('CHANGELOG.md', 'utf8'), version);
const problems = [
  ...(process.argv[2] === `v${version}`
    ? []
    : [`the tag is ${process.argv[2]}, but the version in package.json is ${version}`]),
  ...(notes === '' ? [`CHANGELOG.md has no section [${version}]`] : []),
];
for (const problem of problems) process.stderr.write(`notes: ${problem}\n`);
if (problems.length > 0) process.exit(1);
process.stdout.write(`${notes}\n`);
