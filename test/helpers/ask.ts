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

/** Works through the items with so many at a time, and gives the results in the items' order. */
export async function inParallel<T, R>(
  items: readonly T[],
  most: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < items.length; index = next++) {
      results[index] = await work(items[index] as T, index);
    }
  };
  await Promise.all(Array.from({ length: most }, worker));
  return results;
}

/** The sum of a metric's samples whose line begins with this name, and labels where given. */
export async function readMetric(url: string, name: string, labels = ''): Promise<number> {
  return readMetricText(await (await fetch(`${url}/metrics`)).text(), name, labels);
}

/** The same of a text that is there. */
export function readMetricText(text: string, name: string, labels = ''): number {
  return text
    .split('\n')
    .filter((line) => /^[{ ]/.test(line.slice(name.length)) && line.startsWith(name) && line.includes(labels))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
