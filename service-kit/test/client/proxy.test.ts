import { describe, expect, test } from 'vitest';
import { proxyOf } from '../../src/client/proxy.ts';

const url = 'http://user:password@proxy.example:3128';
const goesThrough = (service: string, except: string) =>
  proxyOf(new URL(service), { url, except }) !== undefined;

describe('a proxy', () => {
  test('is for https:// URLs alone', () => {
    expect(proxyOf(new URL('https://api.twilio.com'), { url, except: '' })?.href).toBe(`${url}/`);
    expect(goesThrough('http://api.twilio.com', '')).toBe(false);
  });

  test('that is not set is none', () => {
    expect(proxyOf(new URL('https://api.twilio.com'), undefined)).toBeUndefined();
  });

  test.each([
    ['*', 'https://api.twilio.com'],
    ['api.twilio.com', 'https://api.twilio.com'],
    ['API.Twilio.com', 'https://api.twilio.com'],
    ['twilio.com', 'https://api.twilio.com'],
    ['.twilio.com', 'https://api.twilio.com'],
    ['*.twilio.com', 'https://api.twilio.com'],
    ['.twilio.com', 'https://twilio.com'],
    ['localhost, twilio.com', 'https://api.twilio.com'],
    ['localhost twilio.com', 'https://api.twilio.com'],
    [',,twilio.com,', 'https://api.twilio.com'],
    ['twilio.com:443', 'https://api.twilio.com'],
    ['twilio.com:8443', 'https://api.twilio.com:8443'],
    ['twilio.com', 'https://api.twilio.com:8443'],
    ['10.1.2.3', 'https://10.1.2.3'],
    ['10.1.2.3:8443', 'https://10.1.2.3:8443'],
    ['10.0.0.0/8', 'https://10.1.2.3:8443'],
    ['0.0.0.0/0', 'https://10.1.2.3'],
    ['::1', 'https://[::1]'],
    ['0:0:0:0:0:0:0:1', 'https://[::1]'],
    ['[::1]', 'https://[::1]:8443'],
    ['[::1]:8443', 'https://[::1]:8443'],
    ['fd00::/8', 'https://[fd12::1]'],
  ])('is not asked for a host that NO_PROXY=%s covers: %s', (except, service) => {
    expect(goesThrough(service, except)).toBe(false);
  });

  test.each([
    ['', 'https://api.twilio.com'],
    [' , ', 'https://api.twilio.com'],
    ['io.com', 'https://api.twilio.com'],
    ['api.twilio.com.example', 'https://api.twilio.com'],
    ['twilio.com:8443', 'https://api.twilio.com'],
    ['https://api.twilio.com', 'https://api.twilio.com'],
    ['api.twilio.com/', 'https://api.twilio.com'],
    ['api.*.com', 'https://api.twilio.com'],
    ['.', 'https://api.twilio.com'],
    ['10.1.2', 'https://10.1.2.3'],
    ['10.0.0.0/8', 'https://11.1.2.3'],
    ['10.0.0.0/33', 'https://10.0.0.0'],
    ['10.0.0.0/x', 'https://10.0.0.0'],
    ['10.0.0.0/8', 'https://api.twilio.com'],
    ['::1', 'https://[::2]'],
    ['[', 'https://api.twilio.com'],
  ])('is asked for a host that NO_PROXY=%s does not cover: %s', (except, service) => {
    expect(goesThrough(service, except)).toBe(true);
  });
});
