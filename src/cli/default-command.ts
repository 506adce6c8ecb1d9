import { join } from 'node:path';
import type { Aliases } from '../models/registry/aliases.js';
import { aliasesWithDefault } from '../models/registry/unavailable.js';
import { quoteForShell } from './terminal/terminal-text.js';

/** The shell command that makes a version the default of its model and keeps the model's other aliases. */
export function toDefaultCommand(root: string, model: string, aliases: Aliases, version: string): string {
  const file = quoteForShell(join(root, model, 'aliases.json'));
  return `echo ${quoteForShell(aliasesWithDefault(aliases, version))} > ${file}`;
}
