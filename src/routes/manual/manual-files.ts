import Fastify from 'fastify';
import { type ServedBytes, toServedBytes } from './served-bytes.js';

const pages = ['/docs', '/docs/'];

/**
 * The pages of the manual and the files that they load, by their paths, as the plugin of Swagger UI serves them. They
 * are asked of it once, and it is given up: it opens a file for each request, which pipelined requests kept open for as
 * long as a client read nothing, and answered an encoded `..` or NUL by a 500 (5.2.6).
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
      // Relative, so that the page finds its files behind a proxy that adds a path, whether its own address has a slash.
      indexPrefix: '.',
      theme: { title: 'Sardonyx' },
      uiConfig: {
        // Without the bar of Fastify, which asks for the address of another document.
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
