import { catchStopSignals } from './stop-signals.js';

const signals = catchStopSignals();
const { runServer } = await import('./process.js');
await runServer(process.env, signals);
