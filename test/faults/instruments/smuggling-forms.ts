/** A request whose bytes hide a second request, and the status that it must get. */
export interface SmugglingForm {
  readonly name: string;
  readonly bytes: Buffer;
  /** 400 or 431; for a message that is valid by RFC 9112, its one status. */
  readonly expected: number;
}

export const smuggledId = 'smuggled-1';
const hidden = `GET /health/live HTTP/1.1\r\nHost: a\r\nX-Request-Id: ${smuggledId}\r\n\r\n`;
const loan = '{"age":42,"income":51234.5,"credit_score":688}';
const size = loan.length.toString(16);
const chunks = `${size}\r\n${loan}\r\n0\r\n\r\n`;
const chunked = 'Transfer-Encoding: chunked';
const length = `Content-Length: ${loan.length}`;

const post = (headers: readonly string[], body: string, version = '1.1') =>
  `POST /predict HTTP/${version}\r\n${['Host: a', 'Content-Type: application/json', ...headers].join('\r\n')}\r\n\r\n${body}`;
const get = (headers: readonly string[], target = '/health', body = hidden) =>
  `GET ${target} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n${body}`;
const many = (count: number) => new Array<string>(count).fill('a:b');

/** Invalid messages. The hidden request follows, and must not be answered. */
const refused: Record<string, string> = {
  'Content-Length, then chunked': post([`Content-Length: ${chunks.length}`, chunked], chunks + hidden),
  'chunked, then Content-Length': post(
    [chunked, `Content-Length: ${(chunks + hidden).length}`],
    chunks + hidden,
  ),
  'two lengths': post([length, `Content-Length: ${(loan + hidden).length}`], loan + hidden),
  'the same length twice': post([length, length], loan + hidden),
  'a list of lengths': post([`${length}, ${loan.length}`], loan + hidden),
  'length +46': post([`Content-Length: +${loan.length}`], loan + hidden),
  'length -46': post([`Content-Length: -${loan.length}`], loan + hidden),
  'length 4 6': post(['Content-Length: 4 6'], loan + hidden),
  'length 0x2e': post([`Content-Length: 0x${size}`], loan + hidden),
  'length 2^64 + 46': post(['Content-Length: 18446744073709551662'], loan + hidden),
  'empty length': post(['Content-Length:'], loan + hidden),
  xchunked: post(['Transfer-Encoding: xchunked'], chunks + hidden),
  'a space before the name': post([` ${chunked}`], chunks + hidden),
  'a vertical tab before chunked': post(['Transfer-Encoding:\vchunked'], chunks + hidden),
  'chunked in quotes': post(['Transfer-Encoding: "chunked"'], chunks + hidden),
  'chunked, identity': post(['Transfer-Encoding: chunked, identity'], chunks + hidden),
  identity: post(['Transfer-Encoding: identity'], chunks + hidden),
  'gzip, chunked': post(['Transfer-Encoding: gzip, chunked'], chunks + hidden),
  'chunked twice': post([chunked, chunked], chunks + hidden),
  'chunked, then x': post([chunked, 'Transfer-Encoding: x'], chunks + hidden),
  'folded coding': post(['Transfer-Encoding:\r\n chunked'], chunks + hidden),
  'folded header': post([length, `X-A: b\r\n ${chunked}`], loan + hidden),
  'a space before the colon of the length': post([`Content-Length : ${loan.length}`], loan + hidden),
  'a space before the colon of the coding': post(['Transfer-Encoding : chunked'], chunks + hidden),
  'LF after the request line': post([length], loan + hidden).replace('\r\n', '\n'),
  'LF after a header': post([`X-A: b\n${length}`], loan + hidden),
  'LF after the headers': `POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\n${hidden}`,
  'CR in a header': post([`X-A: b\r${length}`], loan + hidden),
  'NUL in a value': post(['X-A: a\0b', length], loan + hidden),
  'NUL in a name': post(['X\0A: ab', length], loan + hidden),
  'chunk of 2^64 + 46': post([chunked], `1${size.padStart(16, '0')}\r\n${loan}\r\n0\r\n\r\n${hidden}`),
  'chunk 2ex': post([chunked], `${size}x\r\n${loan}\r\n0\r\n\r\n${hidden}`),
  'chunk 0x2e': post([chunked], `0x${size}\r\n${loan}\r\n0\r\n\r\n${hidden}`),
  'chunk -2e': post([chunked], `-${size}\r\n${loan}\r\n0\r\n\r\n${hidden}`),
  'a space after the chunk size': post([chunked], `${size} \r\n${loan}\r\n0\r\n\r\n${hidden}`),
  'LF after the chunk size': post([chunked], `${size}\n${loan}\r\n0\r\n\r\n${hidden}`),
  'LF after the chunk': post([chunked], `${size}\r\n${loan}\n0\r\n\r\n${hidden}`),
  'nothing after the chunk': post([chunked], `${size}\r\n${loan}0\r\n\r\n${hidden}`),
  'LF in a chunk extension': post([chunked], `${size};a\n${loan}\r\n0\r\n\r\n${hidden}`),
  'CR in a chunk extension': post([chunked], `${size};a\rb\r\n${loan}\r\n0\r\n\r\n${hidden}`),
  'a length in the trailer': post([chunked], `${size}\r\n${loan}\r\n0\r\nContent-Length: 5\r\n\r\n${hidden}`),
  'chunked in HTTP/1.0': post([chunked], chunks + hidden, '1.0'),
  'chunked in HTTP/1.0, kept alive': post(['Connection: keep-alive', chunked], chunks + hidden, '1.0'),
  'two hosts': get(['Host: a', 'host: b']),
  'the same host twice': get(['Host: a', 'HOST: a']),
  'a host with a space': get(['Host: a b']),
  'a host with a path': get(['Host: a/b']),
  'a host with a user': get(['Host: a@b']),
  'authority as the target': get(['Host: a'], 'other.example:80'),
  'a header without a name': get(['Host: a', ': b']),
  'a header without a colon': get(['Host: a', 'foo']),
  'HTTP/0.9': `GET /health\r\n${hidden}`,
  'HTTP/2 in plain text': `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${hidden}`,
};

const tooMany: Record<string, string> = {
  '2,500 headers': get(['Host: a', ...many(2_500)]),
  '2,500 headers, then the length': get([
    'Host: a',
    ...many(2_500),
    `Content-Length: ${(hidden + hidden).length}`,
  ]),
};

/** Valid messages by RFC 9112: the hidden request is part of the body, or follows `Connection: close`. */
const last = 'Connection: close';
const sound: Record<string, [string, number]> = {
  'GET with a body': [get(['Host: a', last, `Content-Length: ${hidden.length}`]), 200],
  'GET with a chunked body': [
    get(['Host: a', last, chunked], '/health', `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`),
    200,
  ],
  'HEAD with a body': [
    get(['Host: a', last, `Content-Length: ${hidden.length}`]).replace('GET', 'HEAD'),
    200,
  ],
  'a body where nothing is': [get(['Host: a', last, `Content-Length: ${hidden.length}`], '/nope'), 404],
  'absolute-form target': [get(['Host: a', last], 'http://other.example/health'), 200],
  // The target means /, which clients of KServe probe.
  'absolute-form target without a path': [get(['Host: a', last], 'http://other.example'), 200],
  'a tab before chunked': [post([last, 'Transfer-Encoding:\tChunked'], chunks + hidden), 200],
  'a space after the length': [post([last, `${length} `], loan + hidden), 200],
  'a chunk extension': [post([last, chunked], `${size};a=b\r\n${loan}\r\n0\r\n\r\n${hidden}`), 200],
  'a chunk extension of 20 KB': [
    post([chunked], `${size};${'a'.repeat(20_000)}\r\n${loan}\r\n0\r\n\r\n${hidden}`),
    413,
  ],
  'Expect: 100-continue': [post([last, 'Expect: 100-continue', length], loan + hidden), 200],
  'Upgrade to h2c': [
    get([
      'Host: a',
      'Connection: close, Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABk',
    ]),
    200,
  ],
  'a length with an underscore': [post([last, 'Content_Length: 0', length], loan), 200],
};

const toForm = (name: string, text: string, expected: number): SmugglingForm => ({
  name,
  bytes: Buffer.from(text, 'latin1'),
  expected,
});

export const refusedForms: readonly SmugglingForm[] = [
  ...Object.entries(refused).map(([name, text]) => toForm(name, text, 400)),
  ...Object.entries(tooMany).map(([name, text]) => toForm(name, text, 431)),
];

export const soundForms: readonly SmugglingForm[] = Object.entries(sound).map(([name, [text, expected]]) =>
  toForm(name, text, expected),
);
