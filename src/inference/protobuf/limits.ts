/**
 * How much of a model file is read as its structure. The counts lie above those of real models and far below those at
 * which V8 ends the process (2^24 entries of a map, 2^27 of an array, 2^29 characters). What each costs was measured:
 * the slowest file just below all of them is read in under a second, and with under 300 MB.
 */
export const graphLimits = {
  /** Messages and names taken: a node takes five to ten. */
  parts: 1_000_000,
  /** Nodes of all graphs and functions: large language models have ten to thirty thousand. */
  nodes: 100_000,
  /** Parts of one value, tensor or attribute: it is read in one piece. */
  itemParts: 50_000,
  /** Fields passed one by one; elements of lists and content of tensors do not count. */
  fields: 2_000_000,
  /** Elements of the lists of all operators, such as those of a forest, and elements and bytes of one list. */
  elements: 64_000_000,
  listElements: 16_000_000,
  listBytes: 96_000_000,
  /** Elements of a list that is read as a whole, such as names of classes. */
  readElements: 1_000_000,
  /** Bytes of UTF-8: of all names and metadata, of one text in the metadata, and of one name. */
  textBytes: 67_108_864,
  longTextBytes: 8_388_608,
  nameBytes: 16_384,
  /** Inputs, and outputs, of the graph. */
  values: 10_000,
  /** Dimensions of a tensor: NumPy has 64 at most. */
  dimensions: 1_024,
  /** Nodes of all trees of an ensemble, in ascending order or in any; and elements of the lists that say how all trees of a model are built. */
  treeNodes: 4_000_000,
  unorderedTreeNodes: 2_000_000,
  treeElements: 25_000_000,
} as const;

/** A count in a message: `1,000,000`. */
export const counted = (count: number): string => count.toLocaleString('en');
