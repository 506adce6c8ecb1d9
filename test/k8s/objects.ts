/** The parts of Kubernetes objects that these tests read. `schemas.test.ts` checks the whole objects. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels };
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever kustomize gave
  readonly spec?: any;
  readonly data?: Readonly<Record<string, string>>;
}

export type Labels = Readonly<Record<string, string>>;

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }[];
  readonly envFrom?: readonly {
    readonly configMapRef?: { readonly name: string };
    readonly secretRef?: { readonly name: string };
  }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly Mount[];
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly [more: string]: any;
}

export interface Mount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
  readonly subPath?: string;
}

export interface Volume {
  readonly name: string;
  readonly [source: string]: unknown;
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes: readonly Volume[];
  readonly terminationGracePeriodSeconds: number;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly [more: string]: any;
}

/** The only object of this kind with this name. Throws if there is none, or more than one. */
export function findObject(objects: readonly KubeObject[], kind: string, name = 'sardonyx'): KubeObject {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name === name);
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} ${kind} ${name}`);
  return found[0];
}

export const kindsOf = (objects: readonly KubeObject[]): readonly string[] =>
  objects.map(({ kind, metadata }) => `${kind}/${metadata.name.replace(/-[0-9a-z]{10}$/, '')}`).sort();

/** The pod template of a Deployment. */
export function podOf(objects: readonly KubeObject[], deployment = 'sardonyx'): PodSpec {
  return findObject(objects, 'Deployment', deployment).spec.template.spec;
}

/** The settings of the server's container: its ConfigMap and its own variables with a value. */
export function settingsOf(objects: readonly KubeObject[]): Readonly<Record<string, string>> {
  const [server] = podOf(objects).containers;
  const maps = (server?.envFrom ?? []).map(({ configMapRef }) =>
    findObject(objects, 'ConfigMap', configMapRef?.name),
  );
  const own = (server?.env ?? []).flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]));
  return Object.assign({}, ...maps.map(({ data }) => data), Object.fromEntries(own));
}

/** Whether a selector matches a pod with these labels. */
export function selects(selector: { readonly matchLabels?: Labels }, labels: Labels): boolean {
  return Object.entries(selector.matchLabels ?? {}).every(([name, value]) => labels[name] === value);
}

/** The names of Secrets in volumes, variables and credentials of the objects. */
export function secretNamesOf(objects: readonly KubeObject[]): readonly string[] {
  const references = /"(?:secretName":|(?:secretKeyRef|secretRef|credentials)":\{[^}]*"name":)"([\w-]+)"/g;
  return [
    ...new Set([...JSON.stringify(objects).matchAll(references)].map(([, name]) => name as string)),
  ].sort();
}
