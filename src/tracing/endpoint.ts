/**
 * The address to which spans are sent, from the base address of a collector: `/v1/traces` is added (OTLP 1.9, "OTLP/HTTP
 * Request"). Returns what is wrong instead, without the value, which may hold a secret.
 */
export function readEndpoint(base: string): URL | string {
  if (!URL.canParse(base)) return 'is no address';
  const url = new URL(base);
  if (url.username !== '' || url.password !== '')
    return 'must have no user and password: OTEL_EXPORTER_OTLP_HEADERS takes authorization=Basic%20…';
  if (url.search !== '' || url.hash !== '') return 'must end with a path: it takes no "?" and no "#"';
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/v1/traces`;
  return url;
}
