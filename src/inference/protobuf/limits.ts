/**
 * Limits on the structure of a model file. They lie above the counts of real models, and far below those at which V8
 * ends the process (2^24 entries of a map, 2^27 of an array, 2^29 characters). The slowest file below all limits was
 * read in under a second, with under 300 MB.
 */
export const graphLimits = {
  /** Messages and names: a node has five to ten. */
  parts: 1_000_000,
  /** Nodes of all graphs and functions: large language models have 10,000 to 30,000. */
  nodes: 100_000,
  /** Parts of one value, tensor or attribute, which is read in one piece. */
  itemParts: 50_000,
  /** Fields read one by one, without elements of lists and content of tensors. */
  fields: 2_000_000,
  /** Elements of all lists together, such as those of a forest; elements of one list; bytes of one list. */
  elements: 64_000_000,
  listElements: 16_000_000,
  listBytes: 96_000_000,
  /** Elements of a list that is decoded as a whole, such as names of classes. */
  readElements: 1_000_000,
  /** Bytes of UTF-8 of all names and metadata, of one text in the metadata, and of one name. */
  textBytes: 67_108_864,
  longTextBytes: 8_388_608,
  nameBytes: 16_384,
  /** Inputs, and outputs, of the graph. */
  values: 10_000,
  /** Dimensions of a tensor: NumPy has 64 at most. */
  dimensions: 1_024,
  /** Nodes of an ensemble, in ascending or in any order, and elements of the lists of all trees of a model. */
  treeNodes: 4_000_000,
  unorderedTreeNodes: 2_000_000,
  treeElements: 25_000_000,
} as const;

export const counted = (count: number): string => count.toLocaleString('en');
