import { describe, expect, test } from 'vitest';
import { ServiceError } from '../../src/errors.js';
import { chooseVersion, defaultVersion, newestVersion, type VersionState } from '../../src/models/routing.js';
import { orderVersions } from '../../src/models/version-order.js';
import { createFakeVersion } from '../helpers/fake-version.js';

/** `1` is ready, `-2` is refused, `~3` is loading. */
function modelOf(versions: readonly string[], aliases: Readonly<Record<string, string>> = {}) {
  const states = new Map(
    versions.map((text): [string, VersionState] => {
      const name = text.replace(/^[-~]/, '');
      if (text.startsWith('-')) return [name, { state: 'refused', reason: 'of /home/secret' }];
      if (text.startsWith('~')) return [name, { state: 'loading' }];
      return [name, { state: 'ready', loaded: createFakeVersion('m', name).loaded }];
    }),
  );
  const latest = newestVersion(orderVersions([...states.keys()]).ascending, states);
  return {
    name: 'm',
    versions: states,
    aliases: new Map(Object.entries(aliases)),
    ...(latest !== undefined && { latest }),
  };
}

function outcomeOf(model: ReturnType<typeof modelOf>, selector?: string): string {
  try {
    return chooseVersion(model, selector).version;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    expect(error.detail).not.toContain('secret');
    return error.code;
  }
}

const unavailable = 'model_unavailable';
const notFound = 'version_not_found';

describe('which version answers', () => {
  test.each<[string, string[], Record<string, string>, string | undefined, string]>([
    ['the newest, for the model alone', ['1', '2', '10'], {}, undefined, '10'],
    ['the newest sound one', ['1', '2', '-10'], {}, undefined, '2'],
    ['not one that is still loading', ['1', '~2'], {}, undefined, '1'],
    ['the alias default before the newest', ['1', '2'], { default: '1' }, undefined, '1'],
    ['latest, whatever the default is', ['1', '2'], { default: '1' }, 'latest', '2'],
    ['no other than an absent default', ['1', '2'], { default: '9' }, undefined, unavailable],
    ['no other than a refused default', ['1', '-2'], { default: '2' }, undefined, unavailable],
    ['no other than a loading default', ['1', '~2'], { default: '2' }, undefined, unavailable],
    ['by name', ['1', '2'], { default: '2' }, '1', '1'],
    ['by the word default', ['1', '2'], { default: '1' }, 'default', '1'],
    ['default is a name like any other without the alias', ['1', '2'], {}, 'default', notFound],
    ['by alias', ['1', '2'], { challenger: '1' }, 'challenger', '1'],
    ['an alias of an absent version', ['1'], { old: '0' }, 'old', unavailable],
    ['an alias of a refused version', ['1', '-2'], { next: '2' }, 'next', unavailable],
    ['an alias leads to no alias', ['1'], { a: 'b', b: '1' }, 'a', unavailable],
    ['a refused version by name', ['1', '-2'], {}, '2', unavailable],
    ['a loading version by name', ['1', '~2'], {}, '2', unavailable],
    ['an absent version', ['1'], {}, '3', notFound],
    ['names are taken to the letter', ['1'], {}, '01', notFound],
    ['a prerelease only when there is nothing else', ['1.0.0', '2.0.0-rc.1'], {}, undefined, '1.0.0'],
    ['the newest prerelease then', ['2.0.0-rc.1', '2.0.0-rc.2', '-1.0.0'], {}, undefined, '2.0.0-rc.2'],
    ['a prerelease by name', ['1.0.0', '2.0.0-rc.1'], {}, '2.0.0-rc.1', '2.0.0-rc.1'],
    ['a name without order never by itself', ['v1-final'], {}, undefined, unavailable],
    ['nor as latest', ['v1-final'], {}, 'latest', unavailable],
    ['but by its name', ['v1-final'], {}, 'v1-final', 'v1-final'],
    ['and by the alias default', ['v1-final', '1'], { default: 'v1-final' }, undefined, 'v1-final'],
    ['none of none', [], {}, undefined, unavailable],
    ['none where all are refused', ['-1', '-2'], {}, undefined, unavailable],
    ['an inherited name', ['1'], {}, '__proto__', notFound],
    ['another inherited name', ['1'], {}, 'constructor', notFound],
  ])('%s', (_, versions, aliases, selector, wanted) => {
    expect(outcomeOf(modelOf(versions, aliases), selector)).toBe(wanted);
  });
});

test('the version for the model alone has a name even where it cannot answer', () => {
  expect(defaultVersion(modelOf(['1'], { default: '9' }))).toBe('9');
  expect(defaultVersion(modelOf(['-1']))).toBeUndefined();
});

test('a near miss is answered with the nearest names', () => {
  try {
    chooseVersion(modelOf(['20261115_143000'], { challenger: '20261115_143000' }), 'chalenger');
    expect.unreachable();
  } catch (error) {
    expect((error as ServiceError).problems).toEqual([
      { pointer: '/version', message: 'is not there; did you mean challenger?' },
    ]);
  }
});
