import { createServer } from 'node:http';

// Does nothing but answer, as the measure of what the machine lets anybody do; ends with whoever started it.
const server = createServer((_, response) => response.end('{}')).listen(0, '127.0.0.1', () => {
  process.send?.(server.address().port);
});
process.on('disconnect', () => process.exit());
