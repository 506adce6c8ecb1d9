/** A text with the keys of our own make spelt out of it: somebody may put one anywhere, such as into an address. */
export function hideKeys(text: string): string {
  return text.includes('sdx_') ? text.replace(/sdx_[\w-]+/g, 'sdx_…') : text;
}
