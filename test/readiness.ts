import { eventually } from './eventually.ts';

/** Resolves once GET /health/ready of each of the services returns the status. */
export const untilReadiness = <Name extends string>(
  { url }: { url(name: Name): string },
  services: readonly Name[],
  status: number,
): Promise<number[]> =>
  Promise.all(
    services.map((name) =>
      eventually(
        async () => (await fetch(`${url(name)}/health/ready`)).status,
        (ready) => ready === status,
        20_000,
      ),
    ),
  );
