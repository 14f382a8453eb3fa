import process from 'node:process';

// They stand before the rest is imported, because a first process (PID 1) ignores a signal without a handler, and would do so
// for good. The start replaces them; until then nothing has begun that would have to end.
const exit = () => process.exit(0);
for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) process.on(event, exit);
if (process.connected === false) exit();

await import('service-kit/node-version.ts');
const { startProvider } = await import('service-kit/provider/start-provider.ts');
const { twilioService } = await import('./app.ts');
const { default: packageJson } = await import('../package.json', { with: { type: 'json' } });

await startProvider(twilioService, process, packageJson);
