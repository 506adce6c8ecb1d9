import type { FastifyPluginAsync } from 'fastify';
import { errorCatalogue, retryTexts } from '../errors.js';
import { addPageHeaders } from './manual/page-headers.js';

const contentSecurityPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The catalogue of errors as a page. The `type` of each error links to it. */
const errorRoutes: FastifyPluginAsync = async (app) => {
  addPageHeaders(app);
  const rows = Object.entries(errorCatalogue).map(
    ([code, { status, title, retry }]) =>
      `<tr id="${code}"><td>${status}</td><td><code>${code}</code></td><td>${title}</td><td>${retryTexts[retry].replaceAll('`', '')}</td></tr>`,
  );
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Errors of Sardonyx</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem}td,th{padding:.2rem 1rem .2rem 0;text-align:left}tr:target{background:#fe9}</style>
<h1>Errors</h1><table><tr><th>Status</th><th>Code</th><th>Meaning</th><th>Retry?</th></tr>${rows.join('')}</table></html>`;

  app.get('/errors', { config: { scope: 'open' }, schema: { hide: true } }, async (_request, reply) => {
    reply.header('content-type', 'text/html; charset=utf-8');
    reply.header('content-security-policy', contentSecurityPolicy);
    return page;
  });
};

export default errorRoutes;
