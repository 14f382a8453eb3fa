import {
  brotliDecompressSync,
  constants,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  zstdDecompressSync,
} from 'node:zlib';

/** The limit of the body of an answer in bytes, as it comes and decoded: a thousand times what providers send. */
export const longestBody = 1024 * 1024;

type Decode = (body: Buffer, options: { maxOutputLength: number }) => Buffer;

/** Returns what came of a body that breaks off, for formats whose header plain text does not have. */
const evenCut = { finishFlush: constants.Z_SYNC_FLUSH };

/** Of a body with garbage or a wrong checksum behind it, the first member alone (RFC 1952), if its header has no optional fields. */
const gunzip: Decode = (body, options) => {
  try {
    return gunzipSync(body, { ...options, ...evenCut });
  } catch (error) {
    if (body.readUInt32BE() !== 0x1f8b0800) throw error;
    return inflateRawSync(body.subarray(10), options);
  }
};

/** Some servers leave out the header of zlib, whose first byte has 8 in its lower half. */
const inflate: Decode = (body, options) =>
  ((body[0] ?? 0) & 0x0f) === 8
    ? inflateSync(body, { ...options, ...evenCut })
    : inflateRawSync(body, options);

const decoders = new Map<string, Decode>([
  ['gzip', gunzip],
  ['x-gzip', gunzip],
  ['deflate', inflate],
  ['br', brotliDecompressSync],
  ['zstd', zstdDecompressSync],
]);

/**
 * A body without this Content-Encoding, which some proxies apply though `identity` was asked for. A body that cannot be decoded,
 * because it is damaged, longer than the limit or of another encoding, is taken as it is: some servers name an encoding and send
 * plain text. If it is none, it is no JSON, and the status alone counts.
 */
export function decodeBody(body: Buffer, contentEncoding = 'identity'): Buffer {
  const encoding = contentEncoding.trim().toLowerCase();
  if (encoding === 'identity' || body.length === 0) return body;
  try {
    return decoders.get(encoding)?.(body, { maxOutputLength: longestBody }) ?? body;
  } catch {
    return body;
  }
}
