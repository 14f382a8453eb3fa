/** Asks payment-service, which is where the page came from, with the key that was given to it. */

const storageKey = 'key';

/** @param {string} key kept until this tab is closed, and nowhere else */
export const useKey = (key) => sessionStorage.setItem(storageKey, key);

export const hasKey = () => sessionStorage.getItem(storageKey) !== null;

/**
 * @param {string} path
 * @param {RequestInit} [init]
 */
export function ask(path, init = {}) {
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
  ask(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
