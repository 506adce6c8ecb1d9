export const originsForm =
  'origins as a browser sends them, separated by commas, such as "https://app.example.com,http://localhost:3000", or "*"';

/** Origins with a scheme other than http, such as those of mobile apps. */
const otherOrigin = /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9._-]+(:\d{1,5})?$/;

/** Parses CORS_ORIGINS: a set of origins, or "*" for any. Returns undefined if the text is neither. */
export function readOrigins(text: string): ReadonlySet<string> | '*' | undefined {
  if (text === '*') return '*';
  const origins = text.split(',').map((origin) => origin.trim());
  return origins.every(isOrigin) ? new Set(origins) : undefined;
}

/** Origins are compared as texts: an origin in any other form than a browser's would never match. */
function isOrigin(text: string): boolean {
  if (!/^https?:/i.test(text)) return otherOrigin.test(text);
  return !text.includes('*') && URL.canParse(text) && new URL(text).origin === text;
}
