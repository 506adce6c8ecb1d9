import { catchSignals } from './process/stop-signals.js';

const signals = catchSignals();
if (process.argv.length > 2) {
  process.stderr.write('sardonyx: main.js takes no arguments; the commands are in cli.js\n');
  process.exit(1);
}
const { runServer } = await import('./process/run-server.js');
await runServer(process.env, signals);
