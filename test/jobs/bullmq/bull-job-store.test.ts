import { describeJobStore } from '../../contracts/job-store.js';
import { createBullWorld } from '../../helpers/bull-world.js';

describeJobStore('BullMQ', () => createBullWorld());
