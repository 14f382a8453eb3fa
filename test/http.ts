import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { noteSecrets } from './leaks.ts';

export interface Answer<Body> {
  status: number;
  headers: Headers;
  body: Body;
}

export async function call<Body = Record<string, unknown>>(
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer<Body>> {
  noteSecrets(body);
  const response = await fetch(url, {
    method,
    ...(body === undefined
      ? { headers }
      : { headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
}

export const pay = (url: string, body: Record<string, unknown>) =>
  call<PaymentView>('POST', `${url}/payments`, { amount: 100, ...body });
