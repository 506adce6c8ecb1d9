import { expect, test } from 'vitest';
import { toOtlpJson } from '../../src/tracing/otlp-json.js';

const ids = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) };

test('spans are written as the JSON form of OTLP, whatever the client put into their texts', () => {
  const hostile = '"\\\u2028\n\ud800</script>';
  const text = toOtlpJson(
    [
      {
        ...ids,
        parentId: 'c'.repeat(16),
        state: 'a="1"',
        name: hostile,
        kind: 'server',
        startedAt: 1.5,
        endedAt: 2.25,
        attributes: { path: hostile, rows: 3, part: 0.5, ok: true },
        isError: true,
        link: { traceId: 'd'.repeat(32), spanId: 'e'.repeat(16), isSampled: true },
      },
      { ...ids, name: 'run', kind: 'internal', startedAt: 2, endedAt: 2, attributes: {} },
    ],
    { 'service.name': 'loans' },
    1_700_000_000_000,
  );
  expect(JSON.parse(text)).toEqual({
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'loans' } }] },
        scopeSpans: [
          {
            scope: { name: 'sardonyx' },
            spans: [
              {
                ...ids,
                parentSpanId: 'c'.repeat(16),
                traceState: 'a="1"',
                name: hostile,
                kind: 2,
                startTimeUnixNano: '1700000000001500000',
                endTimeUnixNano: '1700000000002250000',
                attributes: [
                  { key: 'path', value: { stringValue: hostile } },
                  { key: 'rows', value: { intValue: '3' } },
                  { key: 'part', value: { doubleValue: 0.5 } },
                  { key: 'ok', value: { boolValue: true } },
                ],
                links: [{ traceId: 'd'.repeat(32), spanId: 'e'.repeat(16) }],
                status: { code: 2 },
              },
              {
                ...ids,
                name: 'run',
                kind: 1,
                startTimeUnixNano: '1700000000002000000',
                endTimeUnixNano: '1700000000002000000',
                attributes: [],
                status: {},
              },
            ],
          },
        ],
      },
    ],
  });
});
