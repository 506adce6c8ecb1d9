import { openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { get as getSecurely, Agent as SecureAgent } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

const { server, pid, control } = workerData;
const probes = [];
const waits = [];
let isOver = false;
let begun;

// The same clock in every thread.
const now = () => Number(process.hrtime.bigint()) / 1e6;

const askOnce = (url, agent) =>
  new Promise((resolve) => {
    (url.startsWith('https:') ? getSecurely : get)(url, { agent }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
      response.on('error', () => resolve(0));
    }).on('error', () => resolve(0));
  });

/** An open schedstat for each thread: a read then takes only a few µs. */
const threads = new Map();

/**
 * Reads from schedstat how long the server's main thread has run so far, and how long it was ready but not run. The
 * second time is also read for the other threads (garbage collection, runs), since the main thread may wait for them.
 */
function readThreads() {
  const main = String(pid);
  const helpers = listFolder(`/proc/${pid}/task`).filter((thread) => thread !== main);
  const helpersMs = new Map(helpers.map((thread) => [thread, readThread(thread).waitedMs]));
  return { ...readThread(main), helpersMs };
}

function readThread(thread) {
  const [ranNs = 0, waitedNs = 0] = readOpen(thread).split(' ').map(Number);
  return { ranMs: ranNs / 1e6, waitedMs: waitedNs / 1e6 };
}

const bytes = Buffer.alloc(100);

function readOpen(thread) {
  try {
    if (!threads.has(thread)) threads.set(thread, openSync(`/proc/${pid}/task/${thread}/schedstat`));
    return bytes.toString('latin1', 0, readSync(threads.get(thread), bytes, 0, bytes.length, 0));
  } catch {
    return '';
  }
}

function listFolder(path) {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Returns an empty text if the process has ended or this is not Linux; nothing is excused then. */
function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Adds the processor time of everything but the server and its children, from /proc/stat. */
function readMachine() {
  const [line] = readText('/proc/stat').split('\n', 1);
  const [, user = 0, nice = 0, system = 0, , , ...interruptsAndStolen] = line.split(/ +/, 9).map(Number);
  const children = readText(`/proc/${pid}/task/${pid}/children`).trim().split(' ');
  const own = sum([pid, ...children].map(ticksOf));
  return { ...readThreads(), foreignMs: 10 * (user + nice + system + sum(interruptsAndStolen) - own) };
}

/** The processor time of a process and of its ended children, in hundredths of a second. */
const ticksOf = (of) =>
  sum((readText(`/proc/${of}/stat`).split(') ')[1] ?? '').split(' ').slice(11, 15).map(Number));

const sum = (numbers) => numbers.reduce((total, it) => total + it, 0);

const between = (before, after) => ({
  ranMs: after.ranMs - before.ranMs,
  waitedMs: after.waitedMs - before.waitedMs,
  helperWaitedMs: Math.max(
    0,
    ...[...after.helpersMs].map(([thread, ms]) => ms - (before.helpersMs.get(thread) ?? 0)),
  ),
  foreignMs: after.foreignMs - before.foreignMs,
});

let waitedBeforeMs = readThread(String(pid)).waitedMs;
const loops = [
  askOver(20, server, async (agent) => {
    const before = readMachine();
    const from = now();
    const status = await askOnce(`${server}/health/live`, agent);
    // The first probe over TLS is mostly this thread's own handshake: its status counts, its time does not.
    const isHandshake = probes.length === 0 && agent instanceof SecureAgent;
    probes.push({ from, to: isHandshake ? from : now(), status, ...between(before, readMachine()) });
  }),
  // Timed from when it was due, since a stalled machine delays the sending as well.
  askOver(10, control, async (agent, due) => {
    const isAnswered = (await askOnce(control, agent)) === 200;
    const waitedMs = readThread(String(pid)).waitedMs;
    if (isAnswered) waits.push({ from: due, to: now(), waitedMs: waitedMs - waitedBeforeMs });
    waitedBeforeMs = waitedMs;
  }),
];

function askOver(pauseMs, url, ask) {
  const settings = { keepAlive: true, maxSockets: 1, rejectUnauthorized: false };
  const agent = url.startsWith('https:') ? new SecureAgent(settings) : new Agent(settings);
  const loop = { current: Promise.resolve() };
  const run = async () => {
    for (let due = now(); !isOver; due += pauseMs) {
      loop.current = ask(agent, due);
      await loop.current;
      due = now();
      await pause(pauseMs);
    }
    agent.destroy();
  };
  run();
  return loop;
}

const answers = {
  begin() {
    begun = { from: now(), before: readMachine() };
  },
  end() {
    const { from, before } = begun;
    return { from, to: now(), ...between(before, readMachine()) };
  },
  async read() {
    // Requests in flight belong to the records.
    await Promise.all(loops.map(({ current }) => current));
    return { probes, waits };
  },
  stop() {
    isOver = true;
    return answers.read();
  },
};

parentPort.on('message', async (message) => parentPort.postMessage(await answers[message]()));
