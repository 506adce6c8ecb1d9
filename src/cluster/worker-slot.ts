import cluster, { type Worker } from 'node:cluster';
import { longLifeMs, pauseAfter } from '../time/backoff.js';
import { noteHandedConnections } from './handed-connections.js';
import { Heartbeat } from './heartbeat.js';
import { IpcCalls } from './ipc-calls.js';
import type {
  ClusterFacts,
  Question,
  StartSummary,
  Subject,
  SupervisorMessage,
  WorkerFacts,
  WorkerMessage,
} from './messages.js';
import { replacementVariable, workerVariable } from './worker-link.js';

/** A worker that does not answer within this time is left out of what is said of the whole. */
const maxAnswerMs = 500;

/** How a worker's process ended. */
export interface WorkerEnd {
  readonly pid: number | undefined;
  readonly how: string;
  readonly code: number | null;
  readonly signal: string | null;
}

export interface WorkerSlotEvents {
  onListening(url: string): void;
  onLoaded(summary: StartSummary): void;
  /** The worker cannot start, and ends. */
  onFailure(lines: readonly string[]): void;
  /** The worker is stuck, and is killed. */
  onSilence(pid: number | undefined): void;
  onEnd(end: WorkerEnd): void;
  /** The worker asks about all of them. */
  onAsk(question: Question): Promise<ClusterFacts[Subject]>;
}

/** One of the slots for workers: a process, and after its end the next one. */
export class WorkerSlot {
  readonly number: number;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #events: WorkerSlotEvents;
  readonly #watch: Heartbeat;
  readonly #questions = new IpcCalls<WorkerFacts[Subject]>(maxAnswerMs);
  #worker: Worker | undefined;
  #listensSince: number | undefined;
  #hasListened = false;
  #isLoaded = false;
  #hasLoaded = false;
  /** Workers in a row that ended before they had listened for long. */
  #deaths = 0;
  #timer: NodeJS.Timeout | undefined;

  /** A worker that answers nothing for `silenceTimeoutMs` after it has listened is killed. */
  constructor(
    number: number,
    environment: NodeJS.ProcessEnv,
    silenceTimeoutMs: number,
    events: WorkerSlotEvents,
  ) {
    this.number = number;
    this.#environment = { ...environment, [workerVariable]: String(number) };
    this.#events = events;
    this.#watch = new Heartbeat(silenceTimeoutMs, {
      onAsk: () => void this.ask('readiness'),
      onLost: () => {
        this.#events.onSilence(this.#worker?.process.pid);
        this.#worker?.process.kill('SIGKILL');
      },
    });
  }

  get isListening(): boolean {
    return this.#listensSince !== undefined;
  }

  /** Whether the worker listens, and answers the supervisor. */
  get isRunning(): boolean {
    return this.isListening && !this.#watch.isSilent;
  }

  /** Whether any worker in this slot has listened. */
  get hasListened(): boolean {
    return this.#hasListened;
  }

  /** Whether the models of the worker are loaded. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** The same of any worker that was in this slot: it is then known that one can start. */
  get hasLoaded(): boolean {
    return this.#hasLoaded;
  }

  get isEmpty(): boolean {
    return this.#worker === undefined;
  }

  /** Starts a worker. */
  start(): void {
    const more = this.#hasLoaded ? { [replacementVariable]: '1' } : {};
    const worker = cluster.fork({ ...this.#environment, ...more });
    this.#worker = worker;
    worker.on('message', (message: WorkerMessage) => this.#receive(worker, message));
    const connections = noteHandedConnections(worker.process);
    const { pid } = worker.process;
    worker.on('error', (error) => {
      // No process, no end: such as where there may be no more of them.
      if (pid === undefined) this.#end(worker, { pid, how: error.message, code: null, signal: null });
    });
    // Of the process and of its channel: what the worker has said last has been read.
    worker.process.once('close', (code, signal) => {
      connections.close();
      this.#end(worker, { pid, how: signal ?? `exit code ${code}`, code, signal });
    });
  }

  /** Starts the next worker after the pause that the deaths so far call for, and gives its milliseconds. */
  restart(): number {
    const pauseMs = pauseAfter(this.#deaths);
    this.#timer = setTimeout(() => this.start(), pauseMs);
    return pauseMs;
  }

  /** Asks the worker. Resolves with undefined where it does not answer in time. */
  ask<S extends Subject>(subject: S, about?: readonly string[]): Promise<WorkerFacts[S] | undefined> {
    // A worker answers a question about a subject with the facts of that subject.
    return this.#questions.ask((id) => this.#send({ kind: 'ask', id, subject, about })) as Promise<
      WorkerFacts[S] | undefined
    >;
  }

  /** Has the worker read files again. */
  reload(): void {
    this.#send({ kind: 'reload' });
  }

  /** Sends a signal to the worker, and starts no other. From then on nobody minds its silence. */
  end(signal: NodeJS.Signals): void {
    clearTimeout(this.#timer);
    this.#watch.stop();
    this.#worker?.process.kill(signal);
  }

  #send(message: SupervisorMessage): void {
    // A message that is lost has lost its reader, whose end is told.
    this.#worker?.send(message, () => undefined);
  }

  #receive(worker: Worker, message: WorkerMessage): void {
    this.#watch.hear();
    switch (message.kind) {
      case 'listening':
        this.#listensSince = performance.now();
        this.#hasListened = true;
        this.#watch.start();
        this.#events.onListening(message.url);
        return;
      case 'loaded':
        this.#isLoaded = true;
        this.#hasLoaded = true;
        this.#events.onLoaded(message.summary);
        return;
      case 'failed':
        this.#events.onFailure(message.lines);
        return;
      case 'answer':
        this.#questions.answer(message.id, message.facts);
        return;
      case 'ask':
        void this.#events.onAsk(message).then((facts) => {
          // The slot may have another worker by now, which has asked nothing.
          if (worker === this.#worker) this.#send({ kind: 'answer', id: message.id, facts });
        });
        return;
      default:
        message satisfies never;
    }
  }

  #end(worker: Worker, end: WorkerEnd): void {
    if (worker !== this.#worker) return;
    this.#watch.stop();
    // To be stuck is no life: workers that are stuck soon after their start are deaths in a row.
    const isOld = this.#listensSince !== undefined && this.#watch.lastSign - this.#listensSince >= longLifeMs;
    this.#deaths = isOld ? 1 : this.#deaths + 1;
    this.#worker = undefined;
    this.#listensSince = undefined;
    this.#isLoaded = false;
    this.#questions.abandon();
    this.#events.onEnd(end);
  }
}
