import { describe, expect, test } from 'vitest';
import { createTestAuthority, selfSigned } from '../../../test/doubles/certificates.ts';
import { clientOf, serveTls, trustedAuthority } from './tls-fixture.ts';

const authority = trustedAuthority();

function ofUnknownAuthority() {
  using unknown = createTestAuthority();
  return unknown.issue();
}

describe('a service with a certificate', () => {
  test('that is right is called', async () => {
    const service = await serveTls(authority.certificate());
    const { send, lines } = clientOf({ url: service.url });
    expect(await send()).toEqual({ outcome: 'accepted', message_id: '200' });
    expect(lines).toEqual([]);
  });

  test.each([
    [
      'that has expired',
      () => authority.issue({ days: -1 }),
      'tls_certificate_expired',
      'CERT_HAS_EXPIRED',
      /renew/,
    ],
    [
      'of another host',
      () => authority.issue({ names: 'DNS:other.example' }),
      'tls_certificate_of_another_host',
      'ERR_TLS_CERT_ALTNAME_INVALID',
      /another host/,
    ],
    [
      'that is self-signed',
      selfSigned,
      'tls_certificate_self_signed',
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      /NODE_EXTRA_CA_CERTS/,
    ],
    [
      'of an unknown authority',
      ofUnknownAuthority,
      'tls_ca_unknown',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      /NODE_EXTRA_CA_CERTS/,
    ],
  ])('%s gets no request, and one line of the log for all sends', async (_which, certificate, reason, code, remedy) => {
    const service = await serveTls(certificate());
    const { send, lines } = clientOf({ url: service.url });
    const outcomes = await Promise.all([send(), send(), send()]);
    expect(outcomes).toEqual(Array(3).fill({ outcome: 'not_sent', reason }));
    expect(await send()).toEqual({ outcome: 'not_sent', reason });
    expect(service.received).toEqual([]);
    expect(lines).toEqual([
      {
        fields: expect.objectContaining({ host: `localhost:${service.port}`, reason, code }),
        text: expect.stringMatching(remedy),
      },
    ]);
  });
});
