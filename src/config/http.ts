import { Type } from '@sinclair/typebox';
import { proxiesForm, readTrustedProxies } from '../addresses/trusted-proxies.js';
import { originsForm, readOrigins } from './cors-origins.js';
import { Milliseconds, ReadText, Switch, Text } from './setting-types.js';

/** Where the server listens, for whom, and how long it waits there. */
export const edgeVariables = {
  HOST: Type.String({
    minLength: 1,
    default: '127.0.0.1',
    description:
      'Address to listen on, or a name, which stands for its first address, IPv4 before IPv6; 0.0.0.0 for every network of the machine.',
  }),
  PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 8_000,
    description: 'Port to listen on; 0 for any free one.',
  }),
  TLS_CERT_FILE: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'The certificate, with those that lead to its root, as PEM: the server then speaks HTTPS. Needs TLS_KEY_FILE; both are watched.',
    }),
  ),
  TLS_KEY_FILE: Type.Optional(
    Type.String({ minLength: 1, description: 'The private key of the certificate, as PEM.' }),
  ),
  TRUST_PROXY: Type.Optional(
    ReadText(proxiesForm, readTrustedProxies, {
      description:
        'Proxies whose X-Forwarded-For is believed: addresses or networks with commas between ("10.0.0.0/8"), or their number, where nothing else can reach the server. Without it: none.',
    }),
  ),
  CORS_ORIGINS: Type.Optional(
    ReadText(originsForm, readOrigins, {
      description:
        'Origins whose pages may ask from a browser, with commas between ("https://app.example.com"), or "*" for any. Without it: none.',
    }),
  ),
  BODY_LIMIT_BYTES: Type.Integer({
    minimum: 1_024,
    maximum: 1_073_741_824,
    default: 8_388_608,
    description: 'The largest body of a request.',
  }),
  HEADERS_TIMEOUT_MS: Milliseconds(
    'The longest that the headers of a request may take to arrive.',
    10_000,
    1,
  ),
  REQUEST_TIMEOUT_MS: Milliseconds('The longest that a request may take to arrive whole.', 30_000, 1),
  RESPONSE_TIMEOUT_MS: Milliseconds(
    'The longest that a client may read nothing of an answer that is being sent; then the connection is cut.',
    30_000,
    1,
  ),
  KEEP_ALIVE_TIMEOUT_MS: Milliseconds(
    'How long an idle connection stays open. Longer than that of the proxy in front.',
    72_000,
  ),
  PUBLIC_URL: Type.Optional(
    Text('an http:// or https:// address', {
      pattern: '^https?://[^\\s/]+(/\\S*)?$',
      description: 'The address that clients use, for links in errors and in the manual.',
    }),
  ),
  DOCS: Switch('"off" hides the manual at /docs and /openapi.json.'),
  ERROR_DETAIL: Switch(
    '"off" leaves the list of problems out of a 400, for those who hold that a schema is a secret.',
  ),
};
