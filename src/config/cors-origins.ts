export const originsForm =
  'origins as a browser sends them, with commas between, such as "https://app.example.com,http://localhost:3000", or "*"';

/** Of the kinds that are no http, such as the apps of a telephone. */
const otherOrigin = /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9._-]+(:\d{1,5})?$/;

/** What CORS_ORIGINS says: the origins, or "*" for any; undefined for a text that is neither. */
export function readOrigins(text: string): ReadonlySet<string> | '*' | undefined {
  if (text === '*') return '*';
  const origins = text.split(',').map((origin) => origin.trim());
  return origins.every(isOrigin) ? new Set(origins) : undefined;
}

/** Only what a browser would send in this very form can ever be equal to what one sends. */
function isOrigin(text: string): boolean {
  if (!/^https?:/i.test(text)) return otherOrigin.test(text);
  return !text.includes('*') && URL.canParse(text) && new URL(text).origin === text;
}
