/** Pseudo-random numbers in [0, 1), the same on every machine. */
export { createRandom } from '../../../src/models/warm-up/random.js';
