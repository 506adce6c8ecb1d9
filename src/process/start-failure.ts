import { ConfigError, messageOf } from '../errors.js';

export function describeFailure(error: unknown): readonly string[] {
  return error instanceof ConfigError ? error.lines : [describeOther(error)];
}

function describeOther(error: unknown): string {
  const { code, syscall, address, hostname, port, path } = error as NodeJS.ErrnoException & {
    address?: string;
    hostname?: string;
    port?: number;
  };
  if (code === 'EADDRINUSE')
    return `PORT: ${address}:${port} is taken by another process; choose another PORT`;
  if (syscall === 'getaddrinfo') return `HOST: the name ${hostname} cannot be resolved (${code})`;
  if (syscall === 'listen' || syscall === 'bind' || code === 'EADDRNOTAVAIL')
    return `HOST: cannot listen at ${address}:${port} (${code})`;
  if (syscall === 'scandir')
    return `MODELS_DIR: the folder ${path} cannot be read (${code}): mount it, create it, or set another one`;
  return messageOf(error);
}
