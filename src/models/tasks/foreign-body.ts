/** How other servers take rows, by the member that holds them. */
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

/** The member by which a body is one for another server, and whose; undefined where there is none. */
export function findForeignForm(
  body: Readonly<Record<string, unknown>>,
  isOwn: (name: string) => boolean,
): { readonly name: string; readonly servers: string } | undefined {
  const names = Object.keys(body);
  // A body with one name of ours is a request of ours with a mistake in it.
  if (names.some(isOwn)) return undefined;
  const name = Object.keys(forms).find((it) => Object.hasOwn(body, it));
  return name === undefined ? undefined : { name, servers: forms[name] as string };
}

/** Names as the members of an object in a message, three at most. */
export function sketchObject(names: readonly string[], value: string): string {
  const shown = names.slice(0, 3).map((name) => `${JSON.stringify(name.slice(0, 64))}: ${value}`);
  return `{${[...shown, ...(names.length > 3 ? ['…'] : [])].join(', ')}}`;
}
