/**
 * A response with payments, whose amounts stay text, because a number would lose the last digits of the greatest.
 *
 * @param {string} text
 * @returns {any}
 */
export const readPayments = (text) =>
  JSON.parse(text, (key, value, { source }) =>
    key === 'amount' && typeof value === 'number' ? source : value,
  );
