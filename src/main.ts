import { runServer } from './process.js';

await runServer(process.env);
