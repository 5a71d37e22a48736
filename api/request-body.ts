import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { FastifyRequest } from 'fastify'
import { GatewatchError, messageOf } from '../core/errors.ts'

/** Largest body as it comes over the wire, in bytes. */
export const MAX_BODY_BYTES = 16 * 1024 ** 2
/** Largest body after gzip is undone, in bytes. */
export const MAX_INFLATED_BYTES = 64 * 1024 ** 2

const inflate = promisify(gunzip)

/**
 * Undoes `Content-Encoding: gzip`, stopping at the limit so that a small body cannot fill the memory.
 * @throws GatewatchError `payload_too_large`, or `request_invalid` for broken gzip and other encodings
 */
export async function decodeBody(
  body: Buffer,
  contentEncoding: string | undefined,
  maxInflatedBytes = MAX_INFLATED_BYTES,
): Promise<Buffer> {
  const encoding = contentEncoding?.trim().toLowerCase() ?? 'identity'
  if (encoding === 'identity' || encoding === '') return body
  if (encoding !== 'gzip' && encoding !== 'x-gzip') {
    throw new GatewatchError('request_invalid', 'The body’s encoding is not known.', {
      field: 'content-encoding',
      remedy: 'Send the body as it is or with Content-Encoding: gzip.',
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
    throw new GatewatchError('request_invalid', `The body is not valid gzip: ${messageOf(cause)}.`, {
      cause,
      field: 'content-encoding',
    })
  }
}

/** For calls whose body has optional fields only: no body is one without fields. */
export async function emptyBodyIsNoFields(request: FastifyRequest): Promise<void> {
  request.body ??= {}
}
