import { pino } from 'pino';

// The built server as it is by default, in a process that tells its processor time when asked. The build, since
// what runs TypeScript as it is wraps each function that is made on the way of a request.
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
