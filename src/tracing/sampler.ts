/** Decides whether a trace is recorded. `parent` is the decision of the caller; undefined without a caller. */
export type Sampler = (traceId: string, parent: boolean | undefined) => boolean;

export const samplerNames = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;
export type SamplerName = (typeof samplerNames)[number];

const parentPrefix = 'parentbased_';

/**
 * The samplers of the OpenTelemetry specification. `ratio` is from 0 to 1. A ratio compares the last 56 bits of the
 * trace id, which W3C Trace Context asks to be random, so that all services with one ratio record the same traces.
 */
export function createSampler(name: SamplerName, ratio = 1): Sampler {
  if (name.startsWith(parentPrefix)) {
    const root = createSampler(name.slice(parentPrefix.length) as SamplerName, ratio);
    return (traceId, parent) => parent ?? root(traceId, parent);
  }
  if (name === 'always_on') return () => true;
  if (name === 'always_off') return () => false;
  return (traceId) => Number.parseInt(traceId.slice(-14), 16) >= (1 - ratio) * 2 ** 56;
}
