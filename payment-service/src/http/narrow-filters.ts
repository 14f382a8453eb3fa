import type { FieldError } from 'service-kit/http/problem.ts';
import type { PaymentFilters } from '../store/store.ts';

/** The longest range that a filter without an index may leave to compare, payment by payment. */
const longestRangeMs = 31 * 86_400_000;

/** Each finds its payments by an index, however many others there are. */
const hasIndex = (filters: PaymentFilters): boolean =>
  filters.reference !== undefined ||
  filters.customer_id !== undefined ||
  filters.client !== undefined ||
  filters.reason !== undefined ||
  filters.notification_status !== undefined ||
  filters.notification_service === 'Twilio' ||
  filters.possible_duplicate === true;

/** Nothing is created later than now. */
function hasShortRange({ created_after, created_before }: PaymentFilters): boolean {
  if (created_after === undefined) return false;
  const end = created_before === undefined ? Date.now() : Date.parse(created_before);
  return end - Date.parse(created_after) <= longestRangeMs;
}

const message =
  'must come with a range of at most 31 days (`created_after`, `created_before`), or with one of `reference`, `customer_id`, `client`, `notification_status`, `reason`, `notification_service=Twilio` and `possible_duplicate=true`';

/** The filters that most payments match, unless others leave few to compare with them. */
export function filtersTooWide(filters: PaymentFilters): FieldError[] {
  if (hasIndex(filters) || hasShortRange(filters)) return [];
  const wide = ['notification_service', 'possible_duplicate'] as const;
  return wide.filter((path) => filters[path] !== undefined).map((path) => ({ path, message }));
}
