// An error that nobody catches, at a signal.
process.on('SIGUSR2', () => {
  throw new Error('nobody catches this');
});
