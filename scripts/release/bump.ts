import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { releaseSection } from './changelog.js';
import { writeVersion } from './version-places.js';

// npx tsx scripts/release/bump.ts VERSION: writes the version into every file that names it, and closes the changelog's
// section.
const version = process.argv[2] ?? '';
if (!/^\d+\.\d+\.\d+$/.test(version)) {
  process.stderr.write(`bump: got "${version}", takes a version such as 0.2.0\n`);
  process.exit(1);
}
const changelog = readFileSync('CHANGELOG.md', 'utf8');
const changed = releaseSection(changelog, version, new Date().toISOString().slice(0, 10));
execFileSync('npm', ['version', version, '--no-git-tag-version', '--ignore-scripts'], { stdio: 'ignore' });
writeVersion(version);
writeFileSync('CHANGELOG.md', changed);
