import { providerSchema } from 'service-kit/contract/notification.ts';
import { versionSchema } from 'service-kit/http/health.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import type { Notifier } from '../delivery/notifier.ts';
import { providerReportSchema } from '../providers/circuit-report.ts';

/** The active provider and the circuits, for people and scripts; orchestrators use /health/live and /health/ready. */
export function registerHealthReport(server: Server, notifier: Notifier, version: string): void {
  server.get(
    '/health',
    {
      config: { access: 'anyone' },
      schema: {
        tags: ['health'],
        summary: 'Get the active provider and the state of the circuits',
        response: {
          200: z.object({
            status: z.literal('healthy'),
            version: versionSchema,
            current_notification_service: providerSchema
              .nullable()
              .meta({ description: 'The provider of the next notification; null if none is available' }),
            circuit_breaker: providerReportSchema.meta({ description: "Aldeamo's circuit" }),
            fallback_circuit_breaker: providerReportSchema.meta({ description: "Twilio's circuit" }),
          }),
        },
      },
    },
    async () => {
      const { Aldeamo, Twilio } = notifier.report();
      return {
        status: 'healthy' as const,
        version,
        current_notification_service: notifier.current(),
        circuit_breaker: Aldeamo,
        fallback_circuit_breaker: Twilio,
      };
    },
  );
}
