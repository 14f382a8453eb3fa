/**
 * An amount with its currency, exact to the last digit, in the language.
 *
 * @param {string} amount a decimal number
 * @param {string} currency
 * @param {string} language
 */
export const formatAmount = (amount, currency, language) =>
  new Intl.NumberFormat(language, {
    style: 'currency',
    currency,
    currencyDisplay: 'code', // a $ would not say of which country
    minimumFractionDigits: amount.includes('.') ? 2 : undefined, // browsers take pesos to have no centavos
    maximumFractionDigits: 4, // never rounded, whatever the browser knows of the currency
  }).format(/** @type {Intl.StringNumericLiteral} */ (amount));
