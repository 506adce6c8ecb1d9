import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildKustomize, findKubectl, render, renderWith } from './kustomize.js';

const kubectl = findKubectl();
const built = kubectl === undefined ? undefined : buildKustomize();

if (kubectl === undefined || built === undefined || built.missing !== undefined) {
  const missing = built?.missing ?? 'needs kubectl with kustomize 5';
  test.skip(`kubectl and kustomize build the same objects: ${missing}`, () => undefined);
} else {
  // A release of kustomize changed its built-in rules for names, and a build failed with it.
  describe('kubectl and kustomize of different versions build the same objects', () => {
    test.each(readdirSync('k8s/overlays'))('of the overlay %s', (name) => {
      const folder = join('k8s/overlays', name);
      expect(render(built.command, folder)).toBe(render(kubectl, folder));
    });

    test.each(readdirSync('k8s/components'))('of the base with %s', (name) => {
      expect(renderWith(built.command, [name])).toBe(renderWith(kubectl, [name]));
    });
  });
}
