/** Whether the engine gets the text unchanged: it cuts strings at NUL, and a lone surrogate has no UTF-8 form. */
export function isEncodableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}
