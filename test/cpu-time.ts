import process from 'node:process';

/** The CPU time of this thread that the work takes, in ms: unlike the time that passes, it is the same on a busy machine. */
export async function cpuTimeOf(work: () => unknown): Promise<number> {
  const before = process.threadCpuUsage();
  await work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}
