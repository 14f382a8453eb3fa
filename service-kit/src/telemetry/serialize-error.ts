import { pino } from 'pino';
import { isOutage } from './outage.ts';

/** For the log: an outage without its stack, any other error with it. Both have the messages of their causes. */
export function serializeError(error: Error): object {
  const serialized = pino.stdSerializers.err(error);
  return isOutage(error) ? { type: serialized.type, message: serialized.message } : serialized;
}
