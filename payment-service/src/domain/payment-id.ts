import { V7Generator } from 'uuidv7';

const generator = new V7Generator();

/**
 * A UUID of version 7 in hexadecimal. Ids are ordered by time, strictly so within one process unless its clock is set back by
 * more than ten seconds: pages that are "newest first" order by id.
 */
const newId = (prefix: string) => `${prefix}_${generator.generate().bytes.toHex()}`;

export const newPaymentId = () => newId('pmt');
export const newSuppressionId = () => newId('sup');
export const newEventId = () => newId('evt');
export const newHistoryId = () => newId('hst');
