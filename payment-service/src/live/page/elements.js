/**
 * The element with this selector.
 *
 * @template {Element} [T=HTMLElement]
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {T}
 * @throws Error if there is none
 */
export function get(selector, root = document) {
  const element = root.querySelector(selector);
  if (!element) throw new Error(`the page has no ${selector}`);
  return /** @type {T} */ (element);
}

/**
 * A copy of the template's element.
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
 * Sets a text only if it differs, so that a screen reader does not repeat it, and a selection stays.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Shows one element for each item, and keeps those that are there, so that a selection and the focus stay.
 *
 * @template Item
 * @param {HTMLElement} list
 * @param {Item[]} items
 * @param {() => HTMLElement} create
 * @param {(element: HTMLElement, item: Item) => void} fill
 */
export function showEach(list, items, create, fill) {
  while (list.children.length > items.length) list.lastElementChild?.remove();
  while (list.children.length < items.length) list.append(create());
  items.forEach((item, index) => void fill(/** @type {HTMLElement} */ (list.children[index]), item));
}
