import process from 'node:process';

// They stand before the rest is imported, because a first process (PID 1) ignores a signal without a handler, and would do so
// for good. The start replaces them; until then nothing has begun that would have to end.
const exit = () => process.exit(0);
for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) process.on(event, exit);
if (process.connected === false) exit();

await import('service-kit/node-version.ts');
const { startService } = await import('service-kit/http/start.ts');
const { paymentService } = await import('./service.ts');

await startService(paymentService, process);
