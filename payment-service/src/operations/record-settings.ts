import { flag, wholeNumber } from 'service-kit/http/configuration.ts';

/** The environment variables of what is kept for operators to look back at. */
export const recordSettings = () => ({
  HISTORY_RETENTION_MS: wholeNumber({ min: 0, max: 315_576_000_000 })
    .default(2_592_000_000)
    .describe(
      'How long the entries of GET /history are kept, up to ten years. 0: none are recorded, and those that were are deleted.',
    ),
  STATISTICS: flag()
    .default(true)
    .describe('false counts nothing for GET /statistics. What was counted is kept for 400 days.'),
});
