/** Member that holds the rows in a body for other servers → those servers. */
const forms: Readonly<Record<string, string>> = {
  instances: 'TensorFlow Serving, KServe v1 and Vertex AI',
  inputs: 'the open inference protocol (KServe v2, Triton) and MLflow',
  dataframe_split: 'MLflow',
  dataframe_records: 'MLflow',
  data: 'Seldon, Azure ML and pandas',
  input_data: 'Azure ML',
  Inputs: 'Azure ML',
  columns: 'pandas',
  records: 'pandas',
  rows: 'other servers',
  features: 'other servers',
  input: 'other servers',
};

/** The member that marks a body as one for another server, and that server; undefined if there is none. */
export function findForeignForm(
  body: Readonly<Record<string, unknown>>,
  isOwn: (name: string) => boolean,
): { readonly name: string; readonly servers: string } | undefined {
  const names = Object.keys(body);
  // A body with one of our own names is a request to this server with a mistake in it.
  if (names.some(isOwn)) return undefined;
  const name = Object.keys(forms).find((it) => Object.hasOwn(body, it));
  return name === undefined ? undefined : { name, servers: forms[name] as string };
}

/** An object with at most three of the names, for a message. */
export function sketchObject(names: readonly string[], value: string): string {
  const shown = names.slice(0, 3).map((name) => `${JSON.stringify(name.slice(0, 64))}: ${value}`);
  return `{${[...shown, ...(names.length > 3 ? ['…'] : [])].join(', ')}}`;
}
