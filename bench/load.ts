import { readFileSync } from 'node:fs';
import net from 'node:net';

/** What to send, and for how long. The first argument names a file that holds it as JSON. */
export interface Load {
  readonly port: number;
  /** If set, half of the connections go to this port. */
  readonly otherPort?: number | undefined;
  readonly path: string;
  readonly body: string;
  /** Sent in turn instead of `body`. */
  readonly bodies?: readonly string[];
  /** A text in the body that is replaced by a different number of the same length in each request. */
  readonly unique?: string | undefined;
  /** Further headers, one set for each connection in turn. */
  readonly headers?: readonly Readonly<Record<string, string>>[];
  readonly connections: number;
  readonly seconds: number;
}

/** `cpuShare` is the CPU time of this process divided by the elapsed time. */
export interface LoadResult {
  /** All answers, including the warm-up, which the other figures leave out. */
  readonly answered: number;
  readonly failed: number;
  readonly perSecond: number;
  readonly cpuShare: number;
  /** Median time from a request to the end of its answer. */
  readonly medianMs: number;
  readonly p99Ms: number;
}

/**
 * The warm-up is not timed: this process still compiles its own code, on a processor that the server needs.
 * `engine-loop.ts` leaves its first runs out too.
 */
const warmUpMs = 250;
// A closed loop: each connection sends its next request once the last answer is complete. It reads only the status and
// length of an answer, so that it takes less CPU time than the server.
const load = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Load;
const {
  port,
  otherPort = port,
  path,
  body,
  bodies = [body],
  unique,
  headers = [{}],
  connections,
  seconds,
} = load;
const toRequest = (more: Readonly<Record<string, string>>, text: string): Buffer => {
  const lines = Object.entries(more).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n${lines.join('')}` +
      `content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
};
const requests = headers.map((more) => bodies.map((text) => toRequest(more, text)));
/** Replaces `text` by a different number each time: 0.000001, 0.000002 and so on. */
const numbered = (request: Buffer, text: string): Buffer => {
  const copy = Buffer.from(request);
  const digits = String((firstNumber + sent) % 10 ** (text.length - 2)).padStart(text.length - 2, '0');
  copy.write(`0.${digits}`, copy.lastIndexOf(text), 'latin1');
  return copy;
};
/** Differs in each process, so that no process repeats the rows of another one. */
const firstNumber = (Date.now() % 10_000_000) * 100;
let sent = 0;
let answered = 0;
let failed = 0;
let isTimed = false;
let isOver = false;
const tookMs: number[] = [];

for (let k = 0; k < connections; k += 1) {
  const socket = net.connect(k % 2 === 0 ? port : otherPort, '127.0.0.1');
  socket.setNoDelay(true);
  const own = requests[k % requests.length] as Buffer[];
  const next = () => {
    const request = own[sent++ % own.length] as Buffer;
    return unique === undefined ? request : numbered(request, unique);
  };
  let missing = 0;
  let sentAt = performance.now();
  socket.on('data', (chunk) => {
    if (missing === 0) {
      const head = chunk.toString('latin1', 0, 1_024);
      const length = /content-length: (\d+)/i.exec(head)?.[1];
      if (head[9] !== '2') failed += 1;
      missing = head.indexOf('\r\n\r\n') + 4 + Number(length);
    }
    missing -= chunk.length;
    if (missing > 0) return;
    missing = 0;
    const now = performance.now();
    answered += 1;
    if (isTimed) tookMs.push(now - sentAt);
    sentAt = now;
    if (isOver) socket.end();
    else socket.write(next());
  });
  socket.on('error', () => {
    failed += 1;
  });
  socket.write(next());
}

setTimeout(() => {
  isTimed = true;
  const cpu = process.cpuUsage();
  const started = performance.now();
  setTimeout(() => {
    isOver = true;
    report(process.cpuUsage(cpu), (performance.now() - started) / 1_000);
  }, seconds * 1_000);
}, warmUpMs);

function report({ user, system }: NodeJS.CpuUsage, elapsed: number): void {
  tookMs.sort((a, b) => a - b);
  const result: LoadResult = {
    answered,
    failed,
    perSecond: tookMs.length / elapsed,
    cpuShare: (user + system) / 1e6 / elapsed,
    medianMs: tookMs[tookMs.length >> 1] ?? Number.NaN,
    p99Ms: tookMs[Math.floor(tookMs.length * 0.99)] ?? Number.NaN,
  };
  process.send?.(result, () => process.exit(0));
}
