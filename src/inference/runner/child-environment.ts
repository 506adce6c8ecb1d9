/** The variables of a child process that runs models: few of the server's, and no secrets. */
export function childEnvironment(): NodeJS.ProcessEnv {
  const { PATH = '', HOME = '', TMPDIR = '' } = process.env;
  return { PATH, HOME, ...(TMPDIR && { TMPDIR }), ...localeOf(process.env), ORT_DISABLE_TELEMETRY: '1' };
}

/** The variables of locales: a graph may name a locale, and must find the same ones as in the server. */
function localeOf(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => /^(?:LANG|LANGUAGE|LC_\w+|LOCPATH)$/.test(name)),
  );
}
