import { pino } from 'pino';

// The server from dist/ with default settings; it sends its CPU time on request. Not from the sources: tsx wraps each
// function that is created during a request.
const { readConfig } = (await import(
  '../dist/config/read-config.js' as string
)) as typeof import('../src/config/read-config.js');
const { buildServer } = (await import('../dist/app.js' as string)) as typeof import('../src/app.js');
const app = await buildServer(readConfig({ ...process.env, PORT: '0' }), pino({ level: 'info' }));
await app.modelsLoaded;
await app.listen({ port: 0, host: '127.0.0.1' });
process.on('message', () => process.send?.(process.cpuUsage()));
process.on('disconnect', () => process.exit(0));
const address = app.server.address();
process.send?.({ port: typeof address === 'object' ? address?.port : undefined });
