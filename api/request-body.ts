import { promisify } from 'node:util'
import { constants, gunzip, zstdDecompress } from 'node:zlib'
import type { FastifyRequest } from 'fastify'
import { GatewatchError, messageOf } from '../core/errors.ts'

/** Largest body as it comes over the wire, in bytes. */
export const MAX_BODY_BYTES = 16 * 1024 ** 2
/** Largest body after its compression is undone, in bytes. */
export const MAX_INFLATED_BYTES = 64 * 1024 ** 2

// RFC 9659: over HTTP a zstd frame asks for a window of 8 MiB at most, whatever it holds.
const MAX_ZSTD_WINDOW_LOG = 23

type Inflate = (body: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>
const inflateGzip: Inflate = promisify(gunzip)
const inflateZstd = promisify(zstdDecompress)

const ENCODINGS: Readonly<Record<string, Inflate>> = {
  gzip: inflateGzip,
  'x-gzip': inflateGzip,
  zstd: (body, options) =>
    inflateZstd(body, { ...options, params: { [constants.ZSTD_d_windowLogMax]: MAX_ZSTD_WINDOW_LOG } }),
}

/**
 * Undoes `Content-Encoding: gzip` or `zstd`, stopping at the limit so that a small body cannot fill the memory.
 * @throws GatewatchError `payload_too_large`, or `request_invalid` for broken bodies and other encodings
 */
export async function decodeBody(
  body: Buffer,
  contentEncoding: string | undefined,
  maxInflatedBytes = MAX_INFLATED_BYTES,
): Promise<Buffer> {
  const encoding = contentEncoding?.trim().toLowerCase() ?? 'identity'
  if (encoding === 'identity' || encoding === '') return body
  const inflate = Object.hasOwn(ENCODINGS, encoding) ? ENCODINGS[encoding] : undefined
  if (inflate === undefined) {
    throw new GatewatchError('request_invalid', 'The body’s encoding is not known.', {
      field: 'content-encoding',
      remedy: 'Send the body as it is, or with Content-Encoding: gzip or zstd.',
    })
  }
  try {
    return await inflate(body, { maxOutputLength: maxInflatedBytes })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new GatewatchError(
        'payload_too_large',
        `The body is larger than ${maxInflatedBytes} bytes when unpacked.`,
        { cause, remedy: 'Send it in several requests.' },
      )
    }
    throw new GatewatchError('request_invalid', `The body is not valid ${encoding}: ${messageOf(cause)}.`, {
      cause,
      field: 'content-encoding',
    })
  }
}

/** For calls whose body has optional fields only: no body is one without fields. */
export async function emptyBodyIsNoFields(request: FastifyRequest): Promise<void> {
  request.body ??= {}
}
