/**
 * The element with this selector, which the page has.
 *
 * @template {Element} [T=HTMLElement]
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {T}
 */
export function get(selector, root = document) {
  const element = root.querySelector(selector);
  if (!element) throw new Error(`the page has no ${selector}`);
  return /** @type {T} */ (element);
}

/**
 * What is in the template, once more.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function copyOf(id) {
  const template = /** @type {HTMLTemplateElement} */ (get(`template#${id}`));
  return /** @type {HTMLElement} */ (
    get('*', /** @type {DocumentFragment} */ (template.content.cloneNode(true)))
  );
}

/**
 * Sets a text only if it is another: a screen reader is not told twice, and a selection stays.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
