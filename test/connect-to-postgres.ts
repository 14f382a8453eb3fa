import pg from 'pg';
import { onTestFinished } from 'vitest';

/** A connection for the length of a test. */
export async function connectTo(url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  client.on('error', () => {}); // its server may end before it
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}
