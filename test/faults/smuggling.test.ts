import { expect, test } from 'vitest';
import { provideNginx, startNginx } from '../helpers/nginx.js';
import { startGoodClient } from './instruments/clients.js';
import { fault } from './instruments/fault.js';
import { faultPlainAndTls } from './instruments/plain-and-tls.js';
import { exchangeRaw } from './instruments/raw-http.js';
import { refusedForms, smuggledId, soundForms } from './instruments/smuggling-forms.js';

faultPlainAndTls(
  'H06',
  'a request that hides another is answered once, and its connection is closed',
  async ({ server }, open) => {
    let desyncs = 0;
    let accepted = 0;
    const wrong: string[] = [];
    const forms = [...refusedForms, ...soundForms];
    for (const { name, bytes, expected } of forms) {
      for (const pieces of [[bytes], splitAfterHead(bytes)]) {
        const { statuses, text, isClosed } = await exchangeRaw(server.port, pieces, 300, open);
        if (statuses.length > 1 || text.includes(smuggledId)) desyncs += 1;
        if (expected >= 400 && statuses.some((status) => status < 400)) accepted += 1;
        if (statuses.join() !== String(expected) || !isClosed) {
          wrong.push(`${name}: ${statuses.join() || 'nothing'}, ${isClosed ? 'closed' : 'left open'}`);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(desyncs).toBe(0);
    return `sent directly: desyncs ${desyncs}, accepted ${accepted} of ${refusedForms.length} invalid forms, each whole and in two pieces; ${soundForms.length} valid forms answered once`;
  },
);

const nginxPath = provideNginx();
const behindNginx = 'the server sees exactly the requests that nginx in front of it sees';
if (nginxPath === undefined) test.skip(`H06 ${behindNginx}: there is no nginx`, () => undefined);
else {
  fault(
    'H06',
    behindNginx,
    async ({ server }) => {
      await using nginx = await startNginx(nginxPath, server.port);
      // Its requests share nginx's connections to the server with those of the forms.
      const loan = '{"age":42,"income":51234.5,"credit_score":688}';
      const good = startGoodClient({ ...server, port: nginx.port }, '/models/credit-risk/predict', loan, {
        expecting: '"model":"credit-risk"',
      });
      const forms = [...refusedForms, ...soundForms];
      for (const { bytes } of forms) {
        for (const pieces of [[bytes], splitAfterHead(bytes)]) await exchangeRaw(nginx.port, pieces, 150);
      }
      const { failed, asked } = await good.stop();
      const forwarded = await waitFor(() => idsOf(nginx.lines(), /to \d.* (\S+)$/));
      const isOurs = new Set(forwarded);
      // The probe reaches the server without nginx.
      const served = idsOf(server.stdout, /"request_id":"([^"]+)".*"msg":"request"/).filter(
        (id) => isOurs.has(id) || id === smuggledId,
      );
      const count = (ids: readonly string[], wanted: string) => ids.filter((id) => id === wanted).length;
      const desyncs = [...isOurs, smuggledId].filter((id) => count(served, id) !== count(forwarded, id));
      expect(desyncs).toEqual([]);
      expect(failed).toBe(0);
      expect(forwarded.length - asked).toBeGreaterThan(soundForms.length);
      return `behind nginx: desyncs ${desyncs.length} of ${forwarded.length - asked} requests that nginx forwarded from ${2 * forms.length} messages, among ${asked} requests of another client, of which ${failed} failed`;
    },
    { environment: { LOG_LEVEL: 'debug', TRUST_PROXY: '127.0.0.1' } },
  );
}

/** The first group of a pattern in each line that matches. */
function idsOf(lines: readonly string[], pattern: RegExp): string[] {
  return lines.flatMap((line) => pattern.exec(line)?.[1] ?? []);
}

/** Reads until no new lines come, since nginx and the server log after the answer. */
async function waitFor(read: () => readonly string[]): Promise<readonly string[]> {
  for (let before = -1; ; ) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const found = read();
    if (found.length === before) return found;
    before = found.length;
  }
}

/** Splits after the headers: the decision of the parser must not depend on what has already arrived. */
function splitAfterHead(bytes: Buffer): Buffer[] {
  const end = bytes.indexOf('\r\n\r\n') + 4;
  return end === bytes.length || end < 4 ? [bytes] : [bytes.subarray(0, end), bytes.subarray(end)];
}
