import { Type } from '@sinclair/typebox';
import { proxiesForm, readTrustedProxies } from '../addresses/trusted-proxies.js';
import { originsForm, readOrigins } from './cors-origins.js';
import { Milliseconds, ReadText, Switch, Text } from './setting-types.js';

/** The listener: its address, TLS, proxies, and the limits of requests. */
export const edgeVariables = {
  HOST: Type.String({
    minLength: 1,
    default: '127.0.0.1',
    description:
      'The address to listen on, or a host name, which is resolved to its first address, IPv4 before IPv6; 0.0.0.0 for every network interface of the machine.',
  }),
  PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 8_000,
    description: 'The port to listen on; 0 for any free port.',
  }),
  TLS_CERT_FILE: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'The certificate and its intermediate certificates, as PEM: the server then speaks HTTPS. Needs TLS_KEY_FILE. The server watches both files.',
    }),
  ),
  TLS_KEY_FILE: Type.Optional(
    Type.String({ minLength: 1, description: 'The private key of the certificate, as PEM.' }),
  ),
  TRUST_PROXY: Type.Optional(
    ReadText(proxiesForm, readTrustedProxies, {
      description:
        'The proxies whose X-Forwarded-For is trusted: addresses or networks, separated by commas ("10.0.0.0/8"), or the number of proxies, if clients can reach the server only through them. Without it: none.',
    }),
  ),
  CORS_ORIGINS: Type.Optional(
    ReadText(originsForm, readOrigins, {
      description:
        'The origins whose pages may send requests from a browser, separated by commas ("https://app.example.com"), or "*" for any. Without it: none.',
    }),
  ),
  BODY_LIMIT_BYTES: Type.Integer({
    minimum: 1_024,
    maximum: 1_073_741_824,
    default: 8_388_608,
    description: 'The maximum size of a request body, and of a row of a batch.',
  }),
  HEADERS_TIMEOUT_MS: Milliseconds(
    'The longest time in which the headers of a request must arrive.',
    10_000,
    1,
  ),
  REQUEST_TIMEOUT_MS: Milliseconds('The longest time in which the whole request must arrive.', 30_000, 1),
  RESPONSE_TIMEOUT_MS: Milliseconds(
    'How long a client may stop reading while an answer is being sent; after it, the connection is cut.',
    30_000,
    1,
  ),
  KEEP_ALIVE_TIMEOUT_MS: Milliseconds(
    'How long an idle connection stays open. Choose a longer time than that of the proxy in front.',
    72_000,
  ),
  PUBLIC_URL: Type.Optional(
    Text('an http:// or https:// address', {
      pattern: '^https?://[^\\s/]+(/\\S*)?$',
      description: 'The URL under which clients reach the server, for links in errors and in the manual.',
    }),
  ),
  DOCS: Switch('"off" hides the manual at /docs and /openapi.json.'),
  CONSOLE: Switch('"off" hides the page at / that shows models, traffic, drift and quality.'),
  ERROR_DETAIL: Switch(
    '"off" leaves the list of problems out of a 400 answer: set it if the input schema of a model is secret.',
  ),
};
