import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A request of the open loop: a POST if it has a body, else a GET. */
export interface Target {
  readonly url: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One request; status 0 if it got no answer. */
export interface Sample {
  /** When the request was sent, by `Date.now()`. */
  readonly at: number;
  readonly url: string;
  readonly status: number;
  readonly ms: number;
}

/** Why open loops cannot run on this machine; undefined if they can. */
export function openLoadFault(): string | undefined {
  return spawnSync('vegeta', ['-version']).status === 0
    ? undefined
    : 'vegeta is not installed: go install github.com/tsenart/vegeta/v12@v12.13.0';
}

/**
 * Sends the targets in turn at a fixed rate, without waiting for answers, from a process of its own (vegeta). Resolves
 * with one sample per request, once all are answered or timed out.
 */
export async function putOpenLoad(
  targets: readonly Target[],
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
): Promise<readonly Sample[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sardonyx-bench-'));
  try {
    const lines = targets.map(({ url, body, headers = {} }) => {
      const method = body === undefined ? 'GET' : 'POST';
      return JSON.stringify({
        method,
        url,
        ...(body !== undefined && {
          body: Buffer.from(body).toString('base64'),
          header: {
            'Content-Type': ['application/json'],
            ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
          },
        }),
      });
    });
    writeFileSync(join(folder, 'targets'), `${lines.join('\n')}\n`);
    const results = join(folder, 'results');
    const attack = ['attack', '-format=json', `-targets=${join(folder, 'targets')}`, `-output=${results}`];
    const rate = [
      `-rate=${Math.max(1, Math.round(perSecond))}/1s`,
      `-duration=${Math.round(seconds * 1_000)}ms`,
    ];
    await runVegeta([...attack, ...rate, '-timeout=10s']);
    const text = await runVegeta(['encode', '-to=csv', results]);
    return text.trim().split('\n').map(toSample);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function toSample(line: string): Sample {
  // Columns: time, status, nanoseconds, bytes out, bytes in, error. The error may hold commas; the URL is the last but
  // one.
  const fields = line.split(',');
  const at = Number(fields[0]) / 1e6;
  return { at, status: Number(fields[1]), ms: Number(fields[2]) / 1e6, url: fields.at(-2) ?? '' };
}

function runVegeta(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('vegeta', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(chunks).toString());
      else reject(new Error(`vegeta ended with ${code}`));
    });
  });
}
