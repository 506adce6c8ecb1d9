// Loaded into a server under test: SIGUSR2 throws an uncaught error.
process.on('SIGUSR2', () => {
  throw new Error('nobody catches this');
});
