import { readFileSync } from 'node:fs';

export const page = readFileSync('docs/kubernetes.md', 'utf8');

/** What the page adds to an overlay, by the comment that a block begins with. */
export const additions = [...page.matchAll(/```yaml\n# (.+)\n([\s\S]*?)```/g)].map(([, title, text]) => ({
  title: title as string,
  text: text as string,
}));
