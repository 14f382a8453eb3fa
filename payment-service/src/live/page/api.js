/** Requests to payment-service, the origin of the page, with the key that was entered. */

const storageKey = 'key';

/** @param {string} key stored in this tab alone, until it is closed */
export const useKey = (key) => sessionStorage.setItem(storageKey, key);

export const hasKey = () => sessionStorage.getItem(storageKey) !== null;

/**
 * @param {string} path
 * @param {RequestInit} [init]
 */
export function request(path, init = {}) {
  const key = sessionStorage.getItem(storageKey);
  return fetch(path, {
    ...init,
    headers: { ...init.headers, ...(key && { authorization: `Bearer ${key}` }) },
  });
}

/**
 * @param {string} path
 * @param {unknown} body
 * @param {Record<string, string>} [headers]
 */
export const post = (path, body, headers) =>
  request(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
