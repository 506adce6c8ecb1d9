import { errorCatalogue } from '../../errors.js';
import type { Manifest } from '../../models/manifest/manifest.js';
import type { Answer } from '../../models/tasks/task.js';
import type { PredictionEvent } from '../../prediction-event.js';
import type { RedactionRules } from './redaction.js';
import { createRequestWriter, type RequestWriter } from './request-writer.js';
import { describeShapes, writeShapes } from './tensor-shapes.js';

export interface LineSettings {
  readonly rules: RedactionRules;
  /** From 0 to 1. */
  readonly sample: number;
  readonly logsBatches: boolean;
}

/** What all lines of one version have in common. */
interface Layout {
  readonly head: string;
  readonly isTensor: boolean;
  readonly request: RequestWriter;
}

/** A longer request or answer is left out of its line, which has its number of characters instead. */
const maxPartCharacters = 65_536;
const usualEnd = ',"status":"ok","source":"online"}\n';

/**
 * Makes the lines of the prediction log. Returns a JSON object with a line break, or undefined if the event is not to
 * be logged. It is called before the client has its answer: the texts that do not depend on the row are made once for
 * each version, and the answer's members are those of the response.
 */
export function createLineWriter(
  { rules, sample, logsBatches }: LineSettings,
  now: () => number = Date.now,
): (event: PredictionEvent) => string | undefined {
  const layouts = new WeakMap<Manifest, Layout>();
  let lastManifest: Manifest | undefined;
  let lastLayout: Layout | undefined;
  let lastMs = Number.NaN;
  let lastTime = '';
  let lastKeyId: string | undefined;
  let lastKeyMember = '';

  function layoutOf(manifest: Manifest): Layout {
    if (manifest === lastManifest) return lastLayout as Layout;
    let layout = layouts.get(manifest);
    if (layout === undefined) {
      layout = createLayout(manifest, rules);
      layouts.set(manifest, layout);
    }
    lastManifest = manifest;
    lastLayout = layout;
    return layout;
  }

  /** Most rows in a row are of one client. */
  function toKeyMember(keyId: string): string {
    if (keyId !== lastKeyId) {
      lastKeyId = keyId;
      lastKeyMember = `,"key_id":${JSON.stringify(keyId)}`;
    }
    return lastKeyMember;
  }

  function toTime(): string {
    const ms = now();
    if (ms !== lastMs) {
      lastMs = ms;
      lastTime = new Date(ms).toISOString();
    }
    return lastTime;
  }

  return (event) => {
    const { source, status, predictionId, cache, keyId, answer } = event;
    if ((source === 'batch' || source === 'job') && !logsBatches) return undefined;
    if (sample < 1 && !isSampled(predictionId, sample) && !isOurFailure(status)) return undefined;
    const layout = layoutOf(event.manifest);
    let line = `{"time":"${toTime()}","request_id":${JSON.stringify(event.requestId)},"prediction_id":"${predictionId}"${layout.head}`;
    line += writeRequest(event, layout);
    if (answer !== undefined) line += hideAnsweredKeys(writeAnswer(answer, layout));
    line += `,"latency_ms":${Math.round(event.latencyMs * 1_000) / 1_000}`;
    if (cache !== undefined) line += `,"cache":"${cache}"`;
    if (keyId !== undefined) line += toKeyMember(keyId);
    if (event.trace?.isSampled) line += `,"trace_id":"${event.trace.traceId}"`;
    if (status === 'ok' && source === 'online') return line + usualEnd;
    return `${line},"status":"${status}","source":"${source}"}\n`;
  };
}

/**
 * Whether a share of predictions has this one. The first 32 bits of a prediction's id decide, which are random (UUID
 * version 4, RFC 9562): all readers of the id can repeat the decision.
 */
export function isSampled(predictionId: string, sample: number): boolean {
  return Number.parseInt(predictionId.slice(0, 8), 16) < sample * 4_294_967_296;
}

function isOurFailure(status: PredictionEvent['status']): boolean {
  return status !== 'ok' && errorCatalogue[status].status >= 500;
}

function createLayout(manifest: Manifest, rules: RedactionRules): Layout {
  const { name, version, task } = manifest;
  const request = createRequestWriter(manifest, rules);
  const head = `,"model":${JSON.stringify(name)},"model_version":${JSON.stringify(version)}`;
  return { head, isTensor: task === 'tensor', request };
}

function writeRequest({ row, body, status }: PredictionEvent, { isTensor, request }: Layout): string {
  if (isTensor) {
    // A body that the check has refused may hold anything under any name.
    if (status === 'invalid_input' || body === undefined) return '';
    const shapes = describeShapes((body as { readonly inputs?: unknown }).inputs);
    return `,"request":{"inputs":{${shapes}}}`;
  }
  const members = row === undefined ? request.writeRefused(body) : request.writeRow(row);
  if (members.length > maxPartCharacters) return `,"request_characters":${members.length}`;
  return row === undefined && members === '' ? '' : `,"request":{${members}}${request.redactedJson}`;
}

/** A class may be a text that the client sent by mistake. */
function hideAnsweredKeys(json: string): string {
  return json.includes('sdx_') ? json.replace(/sdx_[\w-]*/g, 'sdx_…') : json;
}

function writeAnswer(answer: Answer, { isTensor }: Layout): string {
  if (isTensor) {
    // Not by its value, which is parsed on demand: a text of 10 MB takes 0.2 s.
    return answer.shapes === undefined ? '' : `,"outputs":{${writeShapes(answer.shapes)}}`;
  }
  const { fieldsJson } = answer;
  if (fieldsJson.length <= maxPartCharacters) return `,${fieldsJson}`;
  const { prediction, probability } = answer.value as { prediction?: unknown; probability?: number };
  const isScalar = typeof prediction !== 'object' && String(prediction).length < maxPartCharacters;
  const scalars = isScalar ? `,"prediction":${JSON.stringify(prediction)}` : '';
  const likely = probability === undefined ? '' : `,"probability":${probability}`;
  return `${scalars}${likely},"answer_characters":${fieldsJson.length}`;
}
