import { get, setText } from '../elements.js';
import { currentLanguage, textOf } from '../language.js';
import { element } from './build.js';
import { fieldOf, hrefOfForm, localTimeOf } from './form-query.js';
import { formatMoment, zoneOf } from './format.js';
import { filters } from './url-state.js';

/** @typedef {import('./url-state.js').View} View */
/** @typedef {{ path: string, message: string }} FieldError */

/**
 * The reasons that a notification usually has, as suggestions; there are those of providers as well.
 *
 * @type {import('../language.js').TextKey[]}
 */
const reasons = [
  'phone_unknown',
  'phone_invalid',
  'blocked',
  'opted_out',
  'suppressed',
  'undelivered',
  'not_sent',
  'filtered',
  'expired',
  'unknown_outcome',
  'no_receipt',
  'country_not_allowed',
  'daily_limit',
  'recipient_limit',
  'erased',
];

/**
 * The search and its filters.
 *
 * @param {(href: string) => void} navigate
 */
export function createSearchForm(navigate) {
  const form = /** @type {HTMLFormElement} */ (get('#search'));
  const field = (/** @type {string} */ name) => get(`[name="${name}"]`, form);
  let query = new URLSearchParams();

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const href = hrefOfForm(new FormData(form));
    if (href !== null) return navigate(href);
    showError('q', textOf('phoneInSearch'), currentLanguage());
    field('q').focus();
  });

  function clearErrors() {
    for (const error of form.querySelectorAll('.error')) setText(error, '');
    for (const invalid of form.querySelectorAll('[aria-invalid]')) invalid.removeAttribute('aria-invalid');
  }

  /**
   * @param {string} name
   * @param {string} message
   * @param {string} language
   */
  function showError(name, message, language) {
    const error = get(`#${name}-error`, form);
    error.lang = language;
    setText(error, message);
    for (const invalid of form.querySelectorAll(`[name="${name}"]`))
      invalid.setAttribute('aria-invalid', 'true');
    if (name !== 'q') get('#filters', form).setAttribute('open', '');
  }

  function showTexts() {
    const active = filters.flatMap((name) => query.getAll(name).map((value) => textOfFilter(name, value)));
    setText(get('#filters-title'), [textOf('filtersTitle'), active.join(', ')].filter(Boolean).join(': '));
    const zone = zoneOf(currentLanguage());
    setText(get('#created_after-label'), textOf('createdFrom', { zone }));
    setText(get('#created_before-label'), textOf('createdTo', { zone }));
    get('#reasons').replaceChildren(...reasons.map(suggestionOf));
  }

  return {
    translate: showTexts,
    /**
     * Fills the fields with what the URL asks for.
     *
     * @param {View} view
     */
    show(view) {
      clearErrors();
      form.reset();
      query = view.name === 'list' ? view.query : new URLSearchParams();
      for (const name of ['q', 'reference', 'customer_id']) {
        const text = query.get(name);
        if (text === null) continue;
        setValue(field('q'), text);
        setValue(field('scope'), name);
      }
      for (const name of filters) fill(name, query.getAll(name));
      showTexts();
      get('#filters').removeAttribute('open'); // its title has those that are set
    },
    /**
     * Shows what the API found wrong, each at its field. Returns what no field is about.
     *
     * @param {FieldError[]} errors
     */
    showErrors(errors) {
      for (const { path, message } of errors) {
        const name = fieldOf(path);
        if (name) showError(name, message, 'en');
      }
      /** @type {HTMLElement | null} */ (form.querySelector('[aria-invalid]'))?.focus();
      return errors.filter(({ path }) => fieldOf(path) === null);
    },
  };

  /**
   * @param {string} name
   * @param {string[]} values
   */
  function fill(name, values) {
    for (const box of form.querySelectorAll(`[type="checkbox"][name="${name}"]`)) {
      const input = /** @type {HTMLInputElement} */ (box);
      input.checked = values.includes(input.value);
    }
    const [value] = values;
    if (value === undefined || name === 'notification_status') return;
    setValue(field(name), name.startsWith('created_') ? localTimeOf(value) : value);
  }
}

/**
 * @param {HTMLElement} field
 * @param {string} value
 */
function setValue(field, value) {
  /** @type {HTMLInputElement | HTMLSelectElement} */ (field).value = value;
}

/**
 * @param {string} name
 * @param {string} value
 */
function textOfFilter(name, value) {
  if (name === 'possible_duplicate' && value === 'true') return textOf('duplicate');
  if (name === 'possible_duplicate') return textOf('noDuplicate');
  if (!localTimeOf(value) || !name.startsWith('created_')) return value;
  const time = formatMoment(value, currentLanguage());
  return textOf(name === 'created_after' ? 'filterFrom' : 'filterTo', { time });
}

/** @param {import('../language.js').TextKey} reason */
function suggestionOf(reason) {
  const option = element('option', '', textOf(reason));
  option.setAttribute('value', reason);
  return option;
}
