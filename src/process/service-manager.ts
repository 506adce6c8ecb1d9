import { execFile } from 'node:child_process';
import type { Logger } from 'pino';
import { messageOf } from '../errors.js';

const timeoutMs = 5_000;

/**
 * Reports to systemd that the server is ready. systemd sets `NOTIFY_SOCKET` for a unit with `Type=notify`. The program
 * `systemd-notify` sends the message, since Node.js cannot open datagram sockets of the family AF_UNIX
 * (nodejs/node#29339), and one message does not justify a native package.
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
    logger.error(
      { reason: messageOf(error) },
      'systemd-notify failed: systemd does not know that the server is ready',
    );
  });
}
