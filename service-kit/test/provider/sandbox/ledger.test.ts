import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ledgerSize } from '../../../src/provider/sandbox/ledger.ts';
import { createSandbox } from '../../../src/provider/sandbox/sandbox.ts';

describe('the ledger file', () => {
  function newFile() {
    const directory = mkdtempSync(join(tmpdir(), 'sandbox-ledger-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    return join(directory, 'deep', 'ledger.jsonl');
  }
  const sendTo = (customer_id: string) => ({
    customer_id,
    message: 'Pago secreto',
    idempotency_key: `key-${customer_id}`,
  });

  test('outlives the sandbox: another one on the same file continues it', async () => {
    const ledgerFile = newFile();
    const first = createSandbox({ provider: 'Aldeamo', ledgerFile });
    await first.send(sendTo('1'));
    await first.send(sendTo('2'));
    const second = createSandbox({ provider: 'Aldeamo', ledgerFile });
    expect(second.messages).toEqual(first.messages);
    await second.send(sendTo('3'));
    const third = createSandbox({ provider: 'Aldeamo', ledgerFile });
    expect(third.messages.map(({ customer_id }) => customer_id)).toEqual(['1', '2', '3']);
    expect(third.messages).toEqual(second.messages);
  });

  test.each([
    '{"message_id":"aldeamo-2","customer_id":"ñ',
    Buffer.from('{"message_id":"aldeamo-2","customer_id":"ñ').subarray(0, -1), // in the middle of a character
  ])('given a torn last line, cuts it off, and the next one can be read: %s', async (torn) => {
    const ledgerFile = newFile();
    await createSandbox({ provider: 'Aldeamo', ledgerFile }).send(sendTo('1'));
    const whole = readFileSync(ledgerFile, 'utf8');
    appendFileSync(ledgerFile, torn);
    const second = createSandbox({ provider: 'Aldeamo', ledgerFile });
    expect(second.messages.map(({ customer_id }) => customer_id)).toEqual(['1']);
    expect(readFileSync(ledgerFile, 'utf8')).toBe(whole);
    await second.send(sendTo('3'));
    const third = createSandbox({ provider: 'Aldeamo', ledgerFile });
    expect(third.messages.map(({ customer_id }) => customer_id)).toEqual(['1', '3']);
  });

  test('given nothing but a torn line, is emptied', () => {
    const ledgerFile = newFile();
    createSandbox({ provider: 'Aldeamo', ledgerFile }); // creates the directory
    writeFileSync(ledgerFile, '{"mess');
    expect(createSandbox({ provider: 'Aldeamo', ledgerFile }).messages).toEqual([]);
    expect(readFileSync(ledgerFile, 'utf8')).toBe('');
  });

  test('has an accepted message before the send is answered, and neither text nor phone', async () => {
    const ledgerFile = newFile();
    const sandbox = createSandbox({ provider: 'Aldeamo', ledgerFile });
    await sandbox.send({ ...sendTo('1'), phone: '+573001234567' });
    const written = readFileSync(ledgerFile, 'utf8');
    expect(written.endsWith('\n')).toBe(true);
    expect(JSON.parse(written)).toEqual(sandbox.messages[0]);
    expect(written).not.toMatch(/secreto|573001234567/);
  });

  test.each([
    0o000, 0o022,
  ])("given umask %i, is its owner's alone, as a folder that is made for it", async (umask) => {
    const before = process.umask(umask);
    onTestFinished(() => void process.umask(before));
    const top = dirname(dirname(newFile()));
    const ledgerFile = join(top, 'made', 'ledger');
    const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);
    chmodSync(top, 0o755);
    const open = () => createSandbox({ provider: 'Aldeamo', ledgerFile });
    await open().send(sendTo('1'));
    expect([ledgerFile, dirname(ledgerFile), top].map(modeOf)).toEqual(['600', '700', '755']);
    chmodSync(ledgerFile, 0o644);
    open();
    expect(modeOf(ledgerFile)).toBe('600');
  });

  test('has no message that was not accepted', async () => {
    const ledgerFile = newFile();
    await createSandbox({ provider: 'Aldeamo', ledgerFile, settings: { failure_rate: 1 } }).send(sendTo('1'));
    expect(existsSync(ledgerFile)).toBe(false);
  });

  test('given more messages than the ledger holds, the newest are read', () => {
    const ledgerFile = newFile();
    createSandbox({ provider: 'Aldeamo', ledgerFile }); // creates the directory
    const line = (customer_id: number) =>
      `{"message_id":"m","customer_id":"${customer_id}","idempotency_key":null,"accepted_at":"2026-01-01T00:00:00.000Z"}\n`;
    writeFileSync(ledgerFile, Array.from({ length: ledgerSize + 2 }, (_, index) => line(index + 1)).join(''));
    const { messages } = createSandbox({ provider: 'Aldeamo', ledgerFile });
    expect(messages).toHaveLength(ledgerSize);
    expect([messages[0]?.customer_id, messages.at(-1)?.customer_id]).toEqual(['3', String(ledgerSize + 2)]);
  });

  test.each([[undefined], ['']])('given %j, is none: the ledger is in memory only', async (ledgerFile) => {
    const first = createSandbox({ provider: 'Aldeamo', ledgerFile });
    await first.send(sendTo('1'));
    expect(first.messages).toHaveLength(1);
    expect(createSandbox({ provider: 'Aldeamo', ledgerFile }).messages).toEqual([]);
  });
});
