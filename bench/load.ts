import net from 'node:net';

/** What to send, for how long: given as JSON in the first argument. */
export interface Load {
  readonly port: number;
  /** Half of the connections go there instead. */
  readonly otherPort?: number | undefined;
  readonly path: string;
  readonly body: string;
  /** Sent in turn in place of `body`. */
  readonly bodies?: readonly string[];
  /** A text in the body in whose place each request has another number of the same length: no two are equal. */
  readonly unique?: string | undefined;
  /** More headers; a connection has those at its own place, and they begin anew when there are more connections. */
  readonly headers?: readonly Readonly<Record<string, string>>[];
  readonly connections: number;
  readonly seconds: number;
}

/** What came back. `cpuShare` is this process's own processor time over the time that passed. */
export interface LoadResult {
  /** All answers, those of the first moments too; the other figures leave these out. */
  readonly answered: number;
  readonly failed: number;
  readonly perSecond: number;
  readonly cpuShare: number;
  /** From a request to the end of its answer, the middle of all. */
  readonly medianMs: number;
  readonly p99Ms: number;
}

/**
 * Not timed: in its first moments this process compiles its own code on a processor that the server needs. The loop
 * of the engine by itself leaves its first runs out too (`engine-loop.ts`).
 */
const warmUpMs = 250;
// Sends the next request on a connection when the answer to the last is whole: a closed loop. It reads
// no more of an answer than its status and length, so that it costs less than the server that it loads.
const load = JSON.parse(process.argv[2] ?? '') as Load;
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
/** The request with its own number in place of `text`: 0.000001, 0.000002 and so on. */
const numbered = (request: Buffer, text: string): Buffer => {
  const copy = Buffer.from(request);
  const digits = String((firstNumber + sent) % 10 ** (text.length - 2)).padStart(text.length - 2, '0');
  copy.write(`0.${digits}`, copy.lastIndexOf(text), 'latin1');
  return copy;
};
/** Another in each process: what one has asked, the next one does not ask again. */
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
