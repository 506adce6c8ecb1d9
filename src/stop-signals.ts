type Stop = (signal: NodeJS.Signals) => Promise<void>;

/** SIGTERM and SIGINT, which stop the process: at once, as long as nobody says how. */
export interface StopSignals {
  handleWith(stop: Stop): void;
}

/** Catches them from now on: before what takes time to import, since until then a signal ends the process as a failure. */
export function catchStopSignals(): StopSignals {
  // Until there is a server there is nothing to wait for.
  let stop: Stop = async () => process.exit(0);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));
  return {
    handleWith(next) {
      stop = next;
    },
  };
}
