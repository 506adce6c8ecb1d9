const unreleased = '## [Unreleased]\n';

/** Makes what is unreleased the section of a version, below an empty one; throws where there is nothing to release. */
export function releaseSection(changelog: string, version: string, date: string): string {
  if (readSection(changelog, 'Unreleased') === '') throw new Error('CHANGELOG.md has nothing unreleased');
  return changelog.replace(unreleased, `${unreleased}\n## [${version}] - ${date}\n`);
}

/** What a section says, without its heading; the empty text for none. */
export function readSection(changelog: string, name: string): string {
  const sections = changelog.split(/^(?=## \[)/m);
  const section = sections.find((each) => each.startsWith(`## [${name}]`)) ?? '';
  return section.slice(section.indexOf('\n') + 1).trim();
}
