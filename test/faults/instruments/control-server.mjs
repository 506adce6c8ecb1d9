import { createServer } from 'node:http';

// Answers every request at once: its delay is the machine's. Ends with its parent process.
const server = createServer((_, response) => response.end('{}')).listen(0, '127.0.0.1', () => {
  process.send?.(server.address().port);
});
process.on('disconnect', () => process.exit());
