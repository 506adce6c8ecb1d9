import { spawn } from 'node:child_process';
import { readSync, writeSync } from 'node:fs';
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';

// The lower bound for a run in a child process on this machine: node:http with a constant answer, a pipe, and a child
// that blocks in a read and runs the model on the same row. It checks, encodes and counts nothing. Arguments: the
// model's path, its input, the values as JSON; the child gets a fourth one.
const [path = '', input = '', values = '[]', role] = process.argv.slice(2);
if (role === 'child') await runChild();
else startServer();

async function runChild(): Promise<void> {
  const session = await InferenceSession.create(path, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const data = Float32Array.from(JSON.parse(values));
  const run = () => session.run({ [input]: new Tensor('float32', data, [1, data.length]) });
  await run();
  const bytes = Buffer.alloc(256);
  // The first byte reports that the model is open.
  do {
    writeSync(1, bytes.subarray(0, 1));
  } while (readSync(0, bytes) > 0 && (await run()));
}

function startServer(): void {
  const args = [...process.execArgv, fileURLToPath(import.meta.url), path, input, values, 'child'];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting: (() => void)[] = [];
  const server = http.createServer((request, response) => {
    request.resume().on('end', () => {
      waiting.push(() => response.setHeader('content-type', 'application/json').end('{"prediction":1}'));
      child.stdin.write('.');
    });
  });
  child.stdout.once('data', () => {
    child.stdout.on('data', () => waiting.shift()?.());
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      process.send?.({ port: typeof address === 'object' ? address?.port : undefined });
    });
  });
  process.on('disconnect', () => {
    child.kill();
    process.exit(0);
  });
}
