const unreleased = '## [Unreleased]\n';

/** Turns the section "Unreleased" into that of a version, below a new empty one. Throws if it is empty. */
export function releaseSection(changelog: string, version: string, date: string): string {
  if (readSection(changelog, 'Unreleased') === '')
    throw new Error('the section [Unreleased] of CHANGELOG.md is empty');
  return changelog.replace(unreleased, `${unreleased}\n## [${version}] - ${date}\n`);
}

/** The text of a section without its heading; the empty text if there is no such section. */
export function readSection(changelog: string, name: string): string {
  const sections = changelog.split(/^(?=## \[)/m);
  const section = sections.find((each) => each.startsWith(`## [${name}]`)) ?? '';
  return section.slice(section.indexOf('\n') + 1).trim();
}
