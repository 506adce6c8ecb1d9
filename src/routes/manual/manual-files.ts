import Fastify from 'fastify';
import { type ServedBytes, toServedBytes } from './served-bytes.js';

const pages = ['/docs', '/docs/'];

/**
 * Reads the pages of the manual and their files once from @fastify/swagger-ui, by path. The plugin itself serves no
 * client: it opens a file for each request, which stays open while a pipelining client reads nothing, and it answers an
 * encoded `..` or NUL with a 500 (5.2.6).
 */
export async function readManualFiles(): Promise<ReadonlyMap<string, ServedBytes>> {
  const [{ default: swagger }, { default: swaggerUi }] = await Promise.all([
    import('@fastify/swagger'),
    import('@fastify/swagger-ui'),
  ]);
  const app = Fastify();
  try {
    await app.register(swagger);
    await app.register(swaggerUi, {
      routePrefix: '/docs',
      // Relative, so that the page finds its files behind a proxy with a path, with a slash at its end and without.
      indexPrefix: '.',
      theme: { title: 'Sardonyx' },
      uiConfig: {
        // Hides the bar for the address of another document.
        layout: 'BaseLayout',
        tryItOutEnabled: true,
        displayRequestDuration: true,
        docExpansion: 'list',
        deepLinking: true,
      },
    });
    const read = async (path: string): Promise<ServedBytes> => {
      const { statusCode, rawPayload, headers } = await app.inject(path);
      if (statusCode !== 200) throw new Error(`the manual has no ${path}: ${statusCode}`);
      return toServedBytes(rawPayload, String(headers['content-type']));
    };
    const files = new Map<string, ServedBytes>();
    for (const page of pages) files.set(page, await read(page));
    for (const path of new Set([...files].flatMap(([page, { bytes }]) => linksOf(page, String(bytes))))) {
      files.set(path, await read(path));
    }
    return files;
  } finally {
    await app.close();
  }
}

function linksOf(page: string, html: string): readonly string[] {
  const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)];
  return links.map(([, link]) => new URL(link as string, `http://manual${page}`).pathname);
}
