import { providerSchema } from 'service-kit/contract/notification.ts';
import { versionSchema } from 'service-kit/http/health.ts';
import type { Server } from 'service-kit/http/types.ts';
import { healthOf, healthSchema } from '../delivery/health.ts';
import type { Notifier } from '../delivery/notifier.ts';
import { circuitsSchema } from '../providers/circuit-report.ts';
import type { Store } from '../store/store.ts';

/**
 * The status, the active provider and the circuits, for people and scripts; orchestrators use /health/live and /health/ready. Its
 * status code is 200 whatever it reports, because a replica whose providers are down is no better for being restarted.
 */
export function registerHealthReport(
  server: Server,
  { store, notifier, version }: { store: Pick<Store, 'check'>; notifier: Notifier; version: string },
): void {
  server.get(
    '/health',
    {
      config: { access: 'anyone' },
      schema: {
        tags: ['health'],
        operationId: 'getHealth',
        summary: 'Get the status, the active provider and the state of the circuits',
        response: {
          200: healthSchema
            .extend({
              version: versionSchema,
              current_notification_service: providerSchema
                .nullable()
                .meta({ description: 'The provider of the next notification; null if none is available' }),
              circuits: circuitsSchema,
            })
            .meta({ id: 'Health' }),
        },
      },
    },
    async () => {
      const isStoreAvailable = await store.check().then(
        () => true,
        () => false,
      );
      const reports = notifier.report();
      return {
        ...healthOf(reports, isStoreAvailable),
        version,
        current_notification_service: notifier.current(),
        circuits: reports,
      };
    },
  );
}
