import { IpcCalls } from './ipc-calls.js';
import {
  type ClusterFacts,
  patienceMs,
  type StartSummary,
  type Subject,
  type SupervisorMessage,
  type WorkerFacts,
  type WorkerMessage,
} from './messages.js';

/** Set by the supervisor to the number of the slot: a process that has it is a worker. */
export const workerVariable = 'SARDONYX_WORKER';
/** Set if the worker replaces another one: it listens only once its models are loaded. */
export const replacementVariable = 'SARDONYX_WORKER_REPLACES';

/** Longer than the supervisor waits for its workers: after this time the supervisor itself is stuck. */
const maxWaitMs = 1_500;

export interface WorkerLink {
  /** The slot's number, from 1. The next worker in this slot has the same number. */
  readonly number: number;
  readonly isReplacement: boolean;
  /** Sets the answers to the supervisor's questions. Questions that came before are not answered. */
  answerWith(
    facts: {
      readonly [S in Subject]: (about: readonly string[]) => WorkerFacts[S] | Promise<WorkerFacts[S]>;
    },
  ): void;
  /** Asks the supervisor about all workers. Resolves with undefined if it does not answer in time. */
  ask<S extends Subject>(subject: S, about?: readonly string[]): Promise<ClusterFacts[S] | undefined>;
  tellListening(url: string): void;
  tellLoaded(summary: StartSummary): void;
  /** Reports why this worker cannot start, one problem a line. Resolves once the message is sent. */
  tellFailure(lines: readonly string[]): Promise<void>;
  /** Sets what reads files again. If the supervisor asked for it before, `reload` runs at once. */
  reloadWith(reload: () => void): void;
  /**
   * Call after the listener has closed and before the process ends. Resolves once every connection that the supervisor
   * still sent here has gone back to it; the supervisor passes them to other workers.
   */
  takeLeave(): Promise<void>;
}

/** Returns undefined in a process that no supervisor started. */
export function connectToSupervisor(
  environment: Readonly<Record<string, string | undefined>>,
): WorkerLink | undefined {
  const number = Number(environment[workerVariable] ?? 0);
  if (number === 0 || process.send === undefined) return undefined;

  const questions = new IpcCalls<ClusterFacts[Subject]>(maxWaitMs);
  let facts: Parameters<WorkerLink['answerWith']>[0] | undefined;
  // A failed send is ignored: the channel has closed, and this process is about to end.
  const send = (message: WorkerMessage, then: () => void = () => undefined) =>
    process.send?.(message, undefined, {}, then);
  const ask = <S extends Subject>(subject: S, about?: readonly string[]) =>
    // The supervisor answers with the type that belongs to the subject.
    questions.ask(
      (id) => send({ kind: 'ask', id, subject, about }),
      maxWaitMs + (patienceMs[subject] ?? 0),
    ) as Promise<ClusterFacts[S] | undefined>;
  let isReloadDue = false;
  let reload = () => {
    isReloadDue = true;
  };

  process.on('message', async (message: SupervisorMessage) => {
    if (message.kind === 'answer') questions.answer(message.id, message.facts);
    else if (message.kind === 'reload') reload();
    else if (facts !== undefined) {
      send({ kind: 'answer', id: message.id, facts: await facts[message.subject](message.about ?? []) });
    }
  });

  return {
    number,
    isReplacement: environment[replacementVariable] !== undefined,
    answerWith: (given) => {
      facts = given;
    },
    ask,
    tellListening: (url) => send({ kind: 'listening', url }),
    tellLoaded: (summary) => send({ kind: 'loaded', summary }),
    tellFailure: (lines) => new Promise((resolve) => send({ kind: 'failed', lines }, resolve)),
    reloadWith(next) {
      reload = next;
      if (isReloadDue) next();
    },
    async takeLeave() {
      // The channel keeps its order: when the answer arrives, the supervisor has read that this worker no longer
      // listens, and has sent its last connection. Of the questions, only `readiness` is answered without this worker.
      await ask('readiness');
    },
  };
}
