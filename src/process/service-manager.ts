import { execFile } from 'node:child_process';
import type { Logger } from 'pino';
import { messageOf } from '../errors.js';

/** What systemd's own program may take until it is ended. */
const timeoutMs = 5_000;

/**
 * Reports to systemd that the server is ready, where it started the server as a unit with `Type=notify`
 * (`NOTIFY_SOCKET` is set then). systemd's own program does it: Node.js opens no datagram sockets of the family
 * AF_UNIX (nodejs/node#29339), and a package with a native part is not worth one message.
 */
export function reportReady(
  { NOTIFY_SOCKET, PATH }: Record<string, string | undefined>,
  logger: Logger,
  url: string,
): void {
  if (!NOTIFY_SOCKET) return;
  const args = ['--ready', `--status=Answers at ${url}`];
  execFile('systemd-notify', args, { env: { NOTIFY_SOCKET, PATH }, timeout: timeoutMs }, (error) => {
    if (error === null) return;
    logger.error({ reason: messageOf(error) }, 'systemd is not told that the server is ready');
  });
}
