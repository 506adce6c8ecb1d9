type Stop = (signal: NodeJS.Signals) => Promise<void>;

export interface ProcessSignals {
  /** SIGTERM, SIGINT and SIGQUIT call `stop`. Before this call they end the process at once. */
  stopWith(stop: Stop): void;
  /** SIGHUP calls `reload`. If a SIGHUP came before this call, `reload` runs at once. */
  reloadWith(reload: () => void): void;
}

/** Call before any slow import: until then a signal ends the process as a failure. */
export function catchSignals(): ProcessSignals {
  let stop: Stop = async () => process.exit(0);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
    process.on(signal, () => void stop(signal));
  }
  // Log rotation may send these signals. By default SIGUSR1 opens Node's debugger, through which every user of the
  // machine can run code, and SIGUSR2 ends the process.
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => undefined);
  let isReloadDue = false;
  let reload = () => {
    isReloadDue = true;
  };
  process.on('SIGHUP', () => reload());
  return {
    stopWith(next) {
      stop = next;
    },
    reloadWith(next) {
      reload = next;
      if (isReloadDue) next();
    },
  };
}

const endSignals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
const maxEndMs = 3_000;

/**
 * Runs the work of a command. A signal aborts its `AbortSignal`. Once the work has settled, the process exits with 128
 * plus the signal's number, as shells expect, unless `isWhole` says that the work ended before the signal reached it. If
 * a second signal comes, or the work takes too long to settle, `lastResort` is called and the process exits.
 */
export async function untilSignalled<T>(
  work: (signal: AbortSignal) => Promise<T>,
  {
    lastResort = () => undefined,
    isWhole = () => false,
  }: { readonly lastResort?: () => void; readonly isWhole?: (result: T) => boolean } = {},
): Promise<T> {
  const controller = new AbortController();
  let code: number | undefined;
  const exit = () => {
    lastResort();
    process.exit(code);
  };
  const end = (name: NodeJS.Signals) => {
    if (code !== undefined) exit();
    code = 128 + endSignals[name as keyof typeof endSignals];
    setTimeout(exit, maxEndMs).unref();
    controller.abort(new Error(`ended by ${name}`));
  };
  const names = Object.keys(endSignals) as NodeJS.Signals[];
  for (const name of names) process.on(name, end);
  try {
    const result = await work(controller.signal);
    if (isWhole(result)) code = undefined;
    return result;
  } finally {
    for (const name of names) process.off(name, end);
    if (code !== undefined) process.exit(code);
  }
}
