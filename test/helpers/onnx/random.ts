/** Numbers in [0, 1) that are the same on each machine. */
export { createRandom } from '../../../src/models/warm-up/random.js';
