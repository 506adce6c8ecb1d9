export const modelNamePattern = /^[a-z0-9][a-z0-9._-]{0,63}$/;
export const versionNamePattern = /^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$/;
