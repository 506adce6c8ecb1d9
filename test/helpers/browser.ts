import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const programs = ['chromium', 'chromium-browser', 'google-chrome'];

/** The name of an installed Chromium; undefined if there is none. */
export const chromium = programs.find((it) => spawnSync(it, ['--version']).status === 0);

export interface Page {
  /** Opens an address, and waits for its `load`. */
  open(url: string): Promise<void>;
  /** Evaluates an expression in the page, awaits a promise, and resolves with the value as JSON. */
  evaluate<T>(expression: string): Promise<T>;
  /** Waits until an expression is true, and rejects after a while, by default 15 s, with the text of the page. */
  until(expression: string, timeoutMs?: number): Promise<void>;
  /** Presses keys as a person does: `Tab`, `Enter`, or characters. */
  press(...keys: readonly string[]): Promise<void>;
  setScheme(scheme: 'light' | 'dark'): Promise<void>;
  setSize(width: number, height: number): Promise<void>;
  /** A PNG of the whole page. */
  screenshot(): Promise<Buffer>;
  /** Errors of scripts, of the console, and of the content security policy. */
  readonly problems: readonly string[];
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  // biome-ignore lint/suspicious/noExplicitAny: each method has a result of its own
  readonly result?: any;
  readonly error?: { readonly message: string };
  // biome-ignore lint/suspicious/noExplicitAny: each event has parameters of its own
  readonly params?: any;
}

/** A headless Chromium with one page, driven by its DevTools protocol over a pipe. */
export async function startBrowser(): Promise<Page & AsyncDisposable> {
  const folder = mkdtempSync(join(tmpdir(), 'sardonyx-browser-'));
  const flags = [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--hide-scrollbars',
    '--disable-dev-shm-usage',
    '--no-first-run',
    `--user-data-dir=${folder}`,
    '--remote-debugging-pipe',
    'about:blank',
  ];
  // A process group of its own: Chromium's other processes outlive its first one, and write into the folder.
  const child = spawn(chromium as string, flags, {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const problems: string[] = [];
  const events = new Map<string, () => void>();
  const send = connect(child, ({ method = '', params }) => {
    events.get(method)?.();
    if (method === 'Runtime.exceptionThrown') problems.push(params.exceptionDetails.exception?.description);
    if (method === 'Log.entryAdded' && params.entry.level === 'error') problems.push(params.entry.text);
    if (method === 'Runtime.consoleAPICalled' && params.type === 'error')
      problems.push(JSON.stringify(params.args));
  });
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
  const call = (method: string, params: object = {}) => send(method, params, sessionId);
  for (const domain of ['Page', 'Runtime', 'Log']) await call(`${domain}.enable`);

  const evaluate = async <T>(expression: string): Promise<T> => {
    const { result, exceptionDetails } = await call('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
  };

  return {
    problems,
    evaluate,
    async open(url) {
      const loaded = new Promise<void>((resolve) => events.set('Page.loadEventFired', resolve));
      const { loaderId } = await call('Page.navigate', { url });
      // Another fragment of the same page loads nothing.
      if (loaderId !== undefined) await loaded;
    },
    async until(expression, timeoutMs = 15_000) {
      const started = performance.now();
      while (!(await evaluate<boolean>(`Boolean(${expression})`))) {
        if (performance.now() - started > timeoutMs)
          throw new Error(`never: ${expression}\n${await evaluate('document.body.innerText')}`);
        await evaluate('new Promise((resolve) => setTimeout(resolve, 20))');
      }
    },
    async press(...keys) {
      for (const key of keys) {
        const code = { Tab: 9, Enter: 13, Backspace: 8 }[key];
        const text = key === 'Enter' ? '\r' : code === undefined ? key : undefined;
        const about = { key, windowsVirtualKeyCode: code, ...(text !== undefined && { text }) };
        await call('Input.dispatchKeyEvent', { type: 'keyDown', ...about });
        await call('Input.dispatchKeyEvent', { type: 'keyUp', key, windowsVirtualKeyCode: code });
      }
    },
    async setScheme(value) {
      await call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] });
    },
    async setSize(width, height) {
      await call('Emulation.setDeviceMetricsOverride', {
        width,
        height,
        deviceScaleFactor: 1,
        mobile: false,
      });
    },
    async screenshot() {
      const { data } = await call('Page.captureScreenshot', { captureBeyondViewport: true });
      return Buffer.from(data, 'base64');
    },
    async [Symbol.asyncDispose]() {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
        process.kill(-child.pid, 'SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}

/** Messages are JSON texts that end with a NUL. */
function connect(child: ChildProcess, onEvent: (message: Message) => void) {
  const [input, output] = [child.stdio[3] as Writable, child.stdio[4] as Readable];
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  let lastId = 0;
  let rest = '';
  output.setEncoding('utf8').on('data', (text: string) => {
    const messages = (rest + text).split('\0');
    rest = messages.pop() as string;
    for (const it of messages) {
      const message = JSON.parse(it) as Message;
      if (message.id === undefined) onEvent(message);
      else if (message.error) waiting.get(message.id)?.reject(new Error(message.error.message));
      else waiting.get(message.id)?.resolve(message.result);
    }
  });
  input.on('error', () => undefined);
  child.once('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error('the browser has ended'));
  });
  // biome-ignore lint/suspicious/noExplicitAny: each method has a result of its own
  return (method: string, params: object, sessionId?: string): Promise<any> =>
    new Promise((resolve, reject) => {
      lastId += 1;
      waiting.set(lastId, { resolve, reject });
      input.write(`${JSON.stringify({ id: lastId, method, params, sessionId })}\0`);
    });
}
