import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { createTestAuthority } from '../../../test/doubles/certificates.ts';
import { proxyOptions, wayOutSettings, wrongWayOut } from '../../src/client/way-out-settings.ts';
import { type ConfigurationError, readConfiguration } from '../../src/http/configuration.ts';

/** As a service that calls out checks them. */
const schema = z
  .object(wayOutSettings())
  .check(({ value, issues }) => void issues.push(...wrongWayOut(value)));
const read = (env: Record<string, string>) => readConfiguration(schema, env);

function messageOf(env: Record<string, string>): string {
  try {
    read(env);
  } catch (error) {
    return (error as ConfigurationError).message;
  }
  return 'nothing was refused';
}

describe('HTTPS_PROXY', () => {
  test.each([
    ['http://proxy.example:3128', 'http://proxy.example:3128'],
    ['https://proxy.example/', 'https://proxy.example/'],
    ['proxy.example:3128', 'http://proxy.example:3128'],
    ['user:p%40ss@proxy.example:3128', 'http://user:p%40ss@proxy.example:3128'],
    ['http://[::1]:3128', 'http://[::1]:3128'],
  ])('may be %s', (HTTPS_PROXY, url) => {
    expect(proxyOptions(read({ HTTPS_PROXY }))).toEqual({ url, except: '' });
  });

  test.each([
    ['socks5://secret@proxy.example', 'must be an http:// or https:// URL'],
    ['http://user:sec#ret@proxy.example', 'must be an http:// or https:// URL'],
    ['secret proxy', 'must be an http:// or https:// URL'],
    ['http://proxy.example:99999/secret', 'must be an http:// or https:// URL'],
    ['http://proxy.example/secret', 'must have no path'],
    ['http://proxy.example?secret', 'must have no path'],
    ['http://user:secret%@proxy.example', 'must have a user and a password that are percent-encoded'],
  ])('is refused as %s, without a word of its value', (HTTPS_PROXY, message) => {
    const refusal = messageOf({ HTTPS_PROXY });
    expect(refusal).toBe(`The configuration is invalid:\n  HTTPS_PROXY: ${message}`);
  });

  test('and NO_PROXY are also read in lower case, and first', () => {
    const upper = { HTTPS_PROXY: 'http://upper', NO_PROXY: 'upper' };
    expect(proxyOptions(read(upper))).toEqual({ url: 'http://upper', except: 'upper' });
    const both = { ...upper, https_proxy: 'http://lower', no_proxy: 'lower' };
    expect(proxyOptions(read(both))).toEqual({ url: 'http://lower', except: 'lower' });
    expect(proxyOptions(read({ ...upper, https_proxy: '', no_proxy: '' }))).toEqual({
      url: 'http://upper',
      except: 'upper',
    });
  });

  test('that is not set means no proxy, whatever NO_PROXY and HTTP_PROXY are', () => {
    expect(proxyOptions(read({ NO_PROXY: '*', HTTP_PROXY: 'http://proxy.example' }))).toBeUndefined();
  });
});

describe('NODE_EXTRA_CA_CERTS', () => {
  const refusal = 'NODE_EXTRA_CA_CERTS: must be a file with certificates in PEM that this user may read';

  test('may be a file of certificates', () => {
    using authority = createTestAuthority();
    expect(read({ NODE_EXTRA_CA_CERTS: authority.caFile })).toEqual({
      NODE_EXTRA_CA_CERTS: authority.caFile,
    });
  });

  test.each([
    ['no certificate', 'not a certificate'],
    ['a damaged one', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'],
  ])('is refused as a file with %s', (_what, text) => {
    const directory = mkdtempSync(join(tmpdir(), 'ca-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, 'ca.pem'), text);
    expect(messageOf({ NODE_EXTRA_CA_CERTS: join(directory, 'ca.pem') })).toContain(refusal);
  });

  test.each(['/nowhere/ca.pem', tmpdir()])('is refused as %s, which is no file', (path) => {
    expect(messageOf({ NODE_EXTRA_CA_CERTS: path })).toContain(refusal);
  });
});
