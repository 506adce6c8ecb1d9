import { readFileSync } from 'node:fs';
import { type ServedBytes, toServedBytes } from '../manual/served-bytes.js';

/** The folder lies beside src/ and dist/. */
const folder = new URL('../../../console/', import.meta.url);
const types = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
} as const;

export const consoleFiles = [
  'console.css',
  'icon.svg',
  'console.js',
  'dom.js',
  'charts.js',
  'server-view.js',
  'model-view.js',
  'quality-view.js',
  'drift-view.js',
  'predict-form.js',
  'form-fields.js',
] as const;

/** The files of the console by name, read once: they take 40 kB. */
export function readConsoleFiles(): ReadonlyMap<string, ServedBytes> {
  return new Map(
    consoleFiles.map((name) => {
      const type = types[name.slice(name.lastIndexOf('.') + 1) as keyof typeof types];
      return [name, toServedBytes(readFileSync(new URL(name, folder)), type)];
    }),
  );
}
