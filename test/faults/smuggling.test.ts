import { expect } from 'vitest';
import { faultOver } from './over.js';
import { exchangeRaw } from './raw.js';
import { refusedForms, smuggledId, soundForms } from './smuggling-forms.js';

faultOver(
  'H06',
  'answers a request that hides another once, and closes: sent directly, as deploy/nginx does not exist yet',
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
    return `direct only: desyncs ${desyncs}, accepted ${accepted} of ${refusedForms.length} forms, each whole and in two pieces; ${soundForms.length} sound ones answered once`;
  },
);

/** The headers, and then the rest: a parser that looks at what is there already must not decide otherwise. */
function splitAfterHead(bytes: Buffer): Buffer[] {
  const end = bytes.indexOf('\r\n\r\n') + 4;
  return end === bytes.length || end < 4 ? [bytes] : [bytes.subarray(0, end), bytes.subarray(end)];
}
