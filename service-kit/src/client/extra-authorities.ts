import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';

/**
 * Lets this process trust the authorities of NODE_EXTRA_CA_CERTS when the variable comes from `.env`. One that was set before the
 * process began was read by Node.js itself. A file without certificates, which a live service refuses, is left out, as there.
 */
export function trustExtraAuthorities(file: string | undefined): void {
  if (!file || getCACertificates('extra').length > 0 || !hasCertificates(file)) return;
  setDefaultCACertificates([...getCACertificates('default'), ...readCertificates(file)]);
}

/** Whether the file can be read, and has certificates in PEM, all of them whole: Node.js would only warn of one that has not. */
export function hasCertificates(file: string): boolean {
  try {
    const certificates = readCertificates(file);
    for (const certificate of certificates) new X509Certificate(certificate);
    return certificates.length > 0;
  } catch {
    return false;
  }
}

const readCertificates = (file: string) =>
  readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----/gs) ?? [];
