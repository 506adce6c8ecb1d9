import { buildTestApp } from './app.js';

/** The registered routes of a server with this configuration. */
export async function listRoutes(
  environment: Record<string, string>,
): Promise<{ readonly method: string; readonly route: string }[]> {
  await using server = await buildTestApp(environment);
  const path: string[] = [];
  return server.app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const found = /^([│ ]*)[├└]── (\S+)(?: \((.*)\))?$/.exec(line);
      if (found === null) return [];
      const [, indent = '', part = '', methods = ''] = found;
      path.splice(indent.length / 4, path.length, part);
      // Without the router's regular expressions for parameters.
      const route = path
        .join('')
        .replace(/\([^)]*\)/g, '')
        .replaceAll('::', ':');
      return methods === '' ? [] : methods.split(', ').map((method) => ({ method, route }));
    });
}
