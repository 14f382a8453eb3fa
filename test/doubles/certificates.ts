import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  key: string;
  cert: string;
}

/** A certification authority that no machine trusts by itself. */
export interface TestAuthority extends Disposable {
  /** Its own certificate in PEM, and the file of it. */
  ca: string;
  caFile: string;
  /** A certificate for these names and addresses; one of -1 days has expired. */
  issue(options?: { names?: string; days?: number }): Certificate;
}

const ofEllipticCurve = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc';

export function createTestAuthority(): TestAuthority {
  const directory = mkdtempSync(join(tmpdir(), 'certificates-'));
  const openssl = (words: string) =>
    execFileSync('openssl', words.split(' '), { cwd: directory, stdio: 'pipe' });
  openssl(`req -x509 ${ofEllipticCurve} -subj /CN=Test-CA -days 2 -keyout ca.key -out ca.pem`);

  return {
    ca: readFileSync(join(directory, 'ca.pem'), 'utf8'),
    caFile: join(directory, 'ca.pem'),
    issue({ names = 'DNS:localhost,IP:127.0.0.1', days = 1 } = {}) {
      openssl(
        `req ${ofEllipticCurve} -subj /CN=test -addext subjectAltName=${names} -keyout leaf.key -out leaf.csr`,
      );
      openssl(
        `x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copy -days ${days} -out leaf.pem`,
      );
      const [key, cert] = ['leaf.key', 'leaf.pem'].map((file) => readFileSync(join(directory, file), 'utf8'));
      return { key: key as string, cert: cert as string };
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true }),
  };
}

/** Signed by itself. */
export function selfSigned(): Certificate {
  const pem = execFileSync(
    'openssl',
    `req -x509 ${ofEllipticCurve} -subj /CN=self -addext subjectAltName=DNS:localhost -days 1 -keyout - -out -`.split(
      ' ',
    ),
    { stdio: 'pipe' },
  ).toString();
  return { key: pem, cert: pem };
}
