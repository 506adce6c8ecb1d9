type Stop = (signal: NodeJS.Signals) => Promise<void>;

/** What signals do to a server's process. */
export interface ProcessSignals {
  /** SIGTERM, SIGINT and SIGQUIT stop it: at once, as long as nobody says how. */
  stopWith(stop: Stop): void;
  /** SIGHUP has it read files again: one that has come before is made up for at once. */
  reloadWith(reload: () => void): void;
}

/** Catches them from now on: before what takes time to import, since until then a signal ends the process as a failure. */
export function catchSignals(): ProcessSignals {
  // Until there is a server there is nothing to wait for.
  let stop: Stop = async () => process.exit(0);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
    process.on(signal, () => void stop(signal));
  }
  // Log rotation sends them to other servers. For SIGUSR1 Node would open its debugger, with which every user of the
  // machine can run code. SIGUSR2 would end the process at once.
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
/** What has not come to its end after so long is left, and the process ends. */
const maxEndMs = 3_000;

/**
 * Does the work of a command, which a signal ends in good order: its `AbortSignal` says so, and once the work has
 * come to an end the process exits as a shell expects, with 128 and the number of the signal. `lastResort` is called
 * where the work takes too long to end, or a second signal comes.
 */
export async function untilSignalled<T>(
  work: (signal: AbortSignal) => Promise<T>,
  lastResort: () => void = () => undefined,
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
    return await work(controller.signal);
  } finally {
    for (const name of names) process.off(name, end);
    if (code !== undefined) process.exit(code);
  }
}
