import { Type } from '@sinclair/typebox';
import { Text } from './setting-types.js';

/** Traces. The names are those of the OpenTelemetry specification. */
export const tracingVariables = {
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(
    Text('an http:// or https:// address', {
      pattern: '^https?://[^\\s/]+(/\\S*)?$',
      description:
        'The OpenTelemetry collector that gets traces as OTLP/HTTP with JSON, such as "http://127.0.0.1:4318"; "/v1/traces" is added. Without it: no traces.',
    }),
  ),
  OTEL_EXPORTER_OTLP_HEADERS: Type.Optional(
    Type.String({
      description:
        'Headers for the collector, such as "authorization=Bearer%20secret": name=value pairs, percent-encoded, separated by commas.',
    }),
  ),
  OTEL_SERVICE_NAME: Type.String({
    minLength: 1,
    maxLength: 255,
    default: 'sardonyx',
    description: 'The name of the service in traces.',
  }),
  OTEL_TRACES_SAMPLER: Type.Union(
    [
      'always_on',
      'always_off',
      'traceidratio',
      'parentbased_always_on',
      'parentbased_always_off',
      'parentbased_traceidratio',
    ].map((name) => Type.Literal(name)),
    {
      default: 'parentbased_always_on',
      description:
        'Which traces are recorded. With "parentbased_…" the decision of the client counts, if it sends a traceparent.',
    },
  ),
  OTEL_TRACES_SAMPLER_ARG: Type.Optional(
    Text('a number from 0 to 1', {
      pattern: '^(0(\\.\\d{1,9})?|1(\\.0{1,9})?)$',
      description:
        'With "traceidratio" and "parentbased_traceidratio": the part of the traces. Without it: 1.',
    }),
  ),
};
