import { afterEach, describe, expect, test } from 'vitest';
import type { Payment } from '../../src/domain/payment.ts';
import { type Customer, LeaseLost, type Store } from '../../src/store/store.ts';
import { customer } from './customer.ts';
import { paymentNumber } from './store-contract.ts';

const clients = ['shop', 'portal', null];
const phoneOf = (client: string | null) => `+5730012345${String(clients.indexOf(client)).padStart(2, '0')}`;
const tomorrow = () => new Date(Date.now() + 86_400_000).toISOString();

/** A payment of each client, and one from before, whose notification is held without a phone; all of one customer id. */
const held = (): Payment[] =>
  clients.map((client, index) =>
    paymentNumber(index + 1, {
      ...{ client, customer_id: '7', notification_status: 'held', reason: 'phone_unknown' },
      next_attempt_at: tomorrow(),
    }),
  );

/** The part of the store's contract that says whose a customer is. `open` opens an empty store. */
export function describeOwners(
  name: string,
  open: (clientsIsolated: boolean) => Store | Promise<Store>,
): void {
  describe(`${name}: the customers of clients`, () => {
    let store: Store;
    afterEach(() => store.close());

    const putAll = async () => {
      for (const client of clients) await store.putPhone(customer('7', client), phoneOf(client));
    };
    const phones = () => Promise.all(clients.map((client) => store.findPhone(customer('7', client))));
    const insertedPhones = async () => {
      const payments = clients.map((client, index) => paymentNumber(index + 1, { client, customer_id: '7' }));
      const inserted = await Promise.all(payments.map((payment) => store.insert(payment)));
      const found = await Promise.all(payments.map(({ payment_id }) => store.find(payment_id)));
      expect(found.map((payment) => payment?.phone)).toEqual(
        inserted.map((result) => 'phone' in result && result.phone),
      );
      return found.map((payment) => payment?.phone);
    };
    /** Whose payments become due with the phone of this customer. */
    const releasedBy = async (of: Customer) => {
      for (const payment of held()) await store.insert(payment);
      const count = await store.releaseHeld(of, 10);
      const due = (await store.claimDue(10)).map(({ client }) => client);
      expect(due).toHaveLength(count);
      return new Set(due);
    };

    describe('given isolated clients', () => {
      const openIsolated = async () => {
        store = await open(true);
      };

      test('are each their own, as are those from before, although they have one id', async () => {
        await openIsolated();
        await putAll();
        expect(await phones()).toEqual(clients.map(phoneOf));
        expect(await store.deletePhone(customer('7', 'shop'))).toBe(true);
        expect(await store.deletePhone(customer('7', 'shop'))).toBe(false);
        expect(await phones()).toEqual([undefined, phoneOf('portal'), phoneOf(null)]);
        expect(await store.findPhone(customer('8', 'portal'))).toBeUndefined();
      });

      test("give an inserted payment the phone of its client's own customer", async () => {
        await openIsolated();
        await putAll();
        expect(await insertedPhones()).toEqual(clients.map(phoneOf));
      });

      test.each(clients)('give an inserted payment no phone of a customer of %s', async (client) => {
        await openIsolated();
        await store.putPhone(customer('7', client), phoneOf(client));
        const own = clients.map((other) => (other === client ? phoneOf(client) : null));
        expect(await insertedPhones()).toEqual(own);
      });

      test.each(clients)('have no notification released but those of the payments of %s', async (client) => {
        await openIsolated();
        expect(await releasedBy(customer('7', client))).toEqual(new Set([client]));
      });

      test('take no notification of another client from the worker that looks at it', async () => {
        await openIsolated();
        const [ofShop] = held() as [Payment];
        await store.insert(ofShop);
        const claimed = await store.claim(ofShop);
        await store.releaseHeld(customer('7', 'portal'), 10);
        await store.update(claimed);
        await store.releaseHeld(customer('7', 'shop'), 10);
        await expect(store.update(claimed)).rejects.toBeInstanceOf(LeaseLost);
      });
    });

    describe('given clients that are not isolated', () => {
      test('are those of all', async () => {
        store = await open(false);
        await store.putPhone(customer('7', 'shop'), phoneOf('shop'));
        await store.putPhone(customer('7', 'portal'), phoneOf('portal'));
        expect(await phones()).toEqual(clients.map(() => phoneOf('portal')));
        expect(await insertedPhones()).toEqual(clients.map(() => phoneOf('portal')));
        expect(await store.deletePhone(customer('7'))).toBe(true);
        expect(await phones()).toEqual(clients.map(() => undefined));
      });

      test.each(clients)('have the notifications of all released by %s', async (client) => {
        store = await open(false);
        expect(await releasedBy(customer('7', client))).toEqual(new Set(clients));
      });
    });
  });
}
