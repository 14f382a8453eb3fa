import type { FastifyRequest } from 'fastify';
import { twilioProblem } from './twilio-problems.ts';
import { isSignedByTwilio, parseForm, type SignedForm } from './twilio-signature.ts';

export interface SignatureOptions {
  publicUrl: string;
  /** Any of them may have signed a request: there are two while the token is rotated. */
  authTokens: string[];
}

/** The fields of a request and the parameters of its URL, both signed by Twilio. */
export interface SignedRequest {
  form: URLSearchParams;
  query: URLSearchParams;
}

/** @throws Problem if the request is not signed by Twilio */
export type RequireSignature = (request: FastifyRequest, path: string) => SignedRequest;

export const createRequireSignature =
  ({ publicUrl, authTokens }: SignatureOptions): RequireSignature =>
  ({ url, headers, body, log }, path) => {
    const form = (body as SignedForm | undefined) ?? parseForm(Buffer.of());
    const query = url.includes('?') ? url.slice(url.indexOf('?')) : '';
    const signature = String(headers['x-twilio-signature'] ?? '');
    const signedUrl = `${publicUrl}${path}${query}`;
    // Each token is tried, so that the time does not depend on which one it was.
    const matches = authTokens.map((token) => isSignedByTwilio(token, signature, signedUrl, form));
    if (matches.includes(true)) return { form: form.fields, query: new URLSearchParams(query) };
    log.warn({ provider: 'Twilio', path }, 'a callback without a valid signature was refused');
    throw twilioProblem('signature-invalid');
  };
