import { catchSignals } from './stop-signals.js';

const signals = catchSignals();
const { runServer } = await import('./process.js');
await runServer(process.env, signals);
