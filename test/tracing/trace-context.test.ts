import { expect, test } from 'vitest';
import { readHeaderList } from '../../src/tracing/header-list.js';
import { createSampler } from '../../src/tracing/sampler.js';
import { createTraceId, readTraceParent, readTraceState } from '../../src/tracing/trace-context.js';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

test.each([
  [`00-${traceId}-${spanId}-01`, { traceId, spanId, isSampled: true }],
  [`00-${traceId}-${spanId}-00`, { traceId, spanId, isSampled: false }],
  // Other flags are not ours, and a later version may append to the header.
  [`00-${traceId}-${spanId}-03`, { traceId, spanId, isSampled: true }],
  [`cc-${traceId}-${spanId}-01-more`, { traceId, spanId, isSampled: true }],
  [`00-${traceId}-${spanId}-01-more`, undefined],
  [`ff-${traceId}-${spanId}-01`, undefined],
  [`00-${'0'.repeat(32)}-${spanId}-01`, undefined],
  [`00-${traceId}-${'0'.repeat(16)}-01`, undefined],
  [`00-${traceId.toUpperCase()}-${spanId}-01`, undefined],
  [`00-${traceId}-${spanId}`, undefined],
  [`01-${traceId}-${spanId}-01-${'x'.repeat(1_000)}`, undefined],
  ['', undefined],
  [undefined, undefined],
  [[`00-${traceId}-${spanId}-01`], undefined],
])('the traceparent %s is read as W3C Trace Context says', (header, parent) => {
  expect(readTraceParent(header)).toEqual(parent);
});

test('a tracestate is passed on unread, unless it is too long or not printable', () => {
  expect(readTraceState('a=1,b=2')).toBe('a=1,b=2');
  expect(readTraceState(['a=1', 'b=2'])).toBe('a=1,b=2');
  expect(readTraceState('x'.repeat(513))).toBeUndefined();
  expect(readTraceState('a=\u00e9')).toBeUndefined();
  expect(readTraceState('')).toBeUndefined();
});

test('a sampler with a ratio takes that part of the traces, and the same ones again', () => {
  const quarter = createSampler('traceidratio', 0.25);
  const half = createSampler('traceidratio', 0.5);
  const ids = Array.from({ length: 4_000 }, createTraceId);
  const taken = ids.filter((id) => quarter(id, undefined));
  // Within five standard deviations.
  expect(Math.abs(taken.length - 1_000)).toBeLessThan(140);
  expect(taken.every((id) => half(id, undefined) && quarter(id, undefined))).toBe(true);
  expect(ids.some((id) => createSampler('traceidratio', 0)(id, true))).toBe(false);
  expect(ids.every((id) => createSampler('traceidratio', 1)(id, false))).toBe(true);
});

test.each([
  ['always_on', [true, true, true]],
  ['always_off', [false, false, false]],
  ['parentbased_always_on', [true, true, false]],
  ['parentbased_always_off', [false, true, false]],
  ['parentbased_traceidratio', [true, true, false]],
] as const)('%s decides without a caller, for a recorded one, and for one that is not', (name, expected) => {
  const sampler = createSampler(name);
  expect([undefined, true, false].map((parent) => sampler(traceId, parent))).toEqual(expected);
});

test('a list of headers is read, and a broken one is refused as a whole', () => {
  expect(readHeaderList('authorization=Bearer%20a%3Db, X-Tenant = b')).toEqual({
    authorization: 'Bearer a=b',
    'x-tenant': 'b',
  });
  for (const broken of ['a', '=b', 'a b=c', 'a=%zz', 'a=1,,b=2', 'a=%0d%0ab: c'])
    expect(readHeaderList(broken), broken).toBeUndefined();
});
