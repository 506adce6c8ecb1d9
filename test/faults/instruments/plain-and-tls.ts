import { afterAll, test } from 'vitest';
import { createPair, noCertificates, PairFolder } from '../../helpers/certificates.js';
import { type FaultContext, type FaultOptions, fault } from './fault.js';
import { type Open, openPlain, openSecure } from './raw-http.js';

/** Registers a row twice, over plain HTTP and over TLS; the same must happen in both. */
export function faultPlainAndTls(
  id: string,
  title: string,
  inflict: (context: FaultContext, open: Open) => Promise<string>,
  options: FaultOptions = {},
): void {
  fault(id, title, (context) => inflict(context, openPlain), options);
  if (noCertificates !== undefined) {
    test.skip(`${id} ${title}, over TLS: ${noCertificates}`, () => undefined);
    return;
  }
  const folder = new PairFolder(createPair('faults'));
  afterAll(() => folder[Symbol.dispose]());
  fault(id, `${title}, over TLS`, async (context) => `over TLS: ${await inflict(context, openSecure)}`, {
    ...options,
    environment: { ...options.environment, ...folder.environment },
  });
}
