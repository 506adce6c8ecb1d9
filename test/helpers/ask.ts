export interface Reply {
  readonly status: number;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever came back
  readonly body: any;
}

/** POSTs a JSON text, or a value as JSON, to a server's model. */
export async function ask(url: string, model: string, body: unknown): Promise<Reply> {
  const response = await fetch(`${url}/models/${model}/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, text, body: JSON.parse(text) };
}

/** Sends one number to a model. Resolves with `ok` or the error code, and with the time of the answer. */
export async function askTimed(url: string, model: string, x: number, headers: Record<string, string> = {}) {
  const started = performance.now();
  const response = await fetch(`${url}/models/${model}/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ x }),
  });
  const { code = 'ok' } = (await response.json()) as { code?: string };
  return { code, ms: performance.now() - started };
}

/** Processes the items, `limit` at a time, and resolves with the results in the order of the items. */
export async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < items.length; index = next++) {
      results[index] = await work(items[index] as T, index);
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  return results;
}

/** The sum of all samples whose line starts with this name and has each of these labels. */
export async function readMetric(url: string, name: string, ...labels: string[]): Promise<number> {
  return readMetricText(await (await fetch(`${url}/metrics`)).text(), name, ...labels);
}

/** Like `readMetric`, for a given text. */
export function readMetricText(text: string, name: string, ...labels: string[]): number {
  return text
    .split('\n')
    .filter((line) => /^[{ ]/.test(line.slice(name.length)) && line.startsWith(name))
    .filter((line) => labels.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
