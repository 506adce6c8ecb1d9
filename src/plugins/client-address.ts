import fp from 'fastify-plugin';
import { findOrigin, type Source } from '../addresses/forwarded-for.js';
import { toClient } from '../addresses/ip-address.js';
import { readTrustedProxies } from '../addresses/trusted-proxies.js';
import type { Config } from '../config/read-config.js';
import { describeValue, hideKeys } from '../text/describe-value.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** The identity of a client without a key: an IPv4 address, or an IPv6 network of 64 bits. */
    readonly clientOf: (source: Source) => string;
  }
}

const quietMs = 60_000;

export default fp<Pick<Config, 'TRUST_PROXY'>>(
  async function clientAddressPlugin(app, { TRUST_PROXY }) {
    const isTrusted = TRUST_PROXY === undefined ? undefined : readTrustedProxies(TRUST_PROXY);
    const unreadable = app.metrics
      .counter(
        'forwarded_addresses_unreadable_total',
        'Requests whose X-Forwarded-For has no readable address of the client',
      )
      .series({});
    let quietUntil = 0;
    app.decorate('clientOf', (source) => {
      const { address, unread } = findOrigin(source, isTrusted);
      if (unread !== undefined) {
        unreadable.add(1);
        if (performance.now() >= quietUntil) {
          quietUntil = performance.now() + quietMs;
          app.log.warn(
            { proxy: address, forwarded_for: hideKeys(describeValue(unread)) },
            'X-Forwarded-For has no readable address of the client: its requests are counted by the address of the proxy',
          );
        }
      }
      return address === undefined ? 'unknown' : toClient(address);
    });
  },
  { name: 'client-address', fastify: '5.x', dependencies: ['metrics'] },
);
