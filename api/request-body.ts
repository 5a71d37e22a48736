import { pipeline, Readable } from 'node:stream'
import { constants, createGunzip, createInflate, createInflateRaw, createZstdDecompress } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { GatewatchError, messageOf } from '../core/errors.ts'
import { zstdFrames } from '../core/zstd-frames.ts'
import type { ApiServer } from './api-server.ts'
import type { ByteBudget, ByteLease } from './byte-budget.ts'
import { callerOf } from './plugins/authentication.ts'

/** Largest body as it comes over the wire, in bytes. */
export const MAX_BODY_BYTES = 16 * 1024 ** 2
/** Largest body after its compression is undone, in bytes. */
export const MAX_INFLATED_BYTES = 64 * 1024 ** 2

/** Hands the body of a request, inflated, to `use`; its bytes are in the budget until that is done. */
export type TakeBody = <Answer>(
  request: FastifyRequest,
  use: (bytes: Buffer) => Promise<Answer>,
) => Promise<Answer>

/**
 * Has the routes of a scope take their bodies as bytes, whatever their media type, within a budget. A body is in it before
 * its first byte is read, with the length that its header says, and grows as it is inflated; where nothing is left, or its
 * sender has its share, the answer is 503 with `Retry-After`. Nothing of it is read before its sender is known.
 */
export function takeBodies(scope: ApiServer, budget: ByteBudget): TakeBody {
  const leases = new WeakMap<FastifyRequest, ByteLease>()
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  scope.addHook('preParsing', async (request, reply) => {
    const lease = budget.take(announcedBytes(request), ownerOf(request))
    leases.set(request, lease)
    // A request whose body never gets to `use`: it is too large, or its sender is gone.
    reply.raw.once('close', () => giveBack(request))
  })
  scope.addHook('onResponse', async (request: FastifyRequest, _reply: FastifyReply) => giveBack(request))

  const giveBack = (request: FastifyRequest) => {
    leases.get(request)?.release()
    leases.delete(request)
  }

  return async (request, use) => {
    const lease = leases.get(request)
    if (lease === undefined) throw new GatewatchError('internal', 'A body was taken without its budget.')
    // From here on the end of the connection is not the end of the work.
    leases.delete(request)
    try {
      const raw = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
      lease.resize(raw.byteLength)
      const onGrowth = (inflated: number) => lease.resize(raw.byteLength + inflated)
      return await use(await decodeBody(raw, request.headers['content-encoding'], { onGrowth }))
    } finally {
      lease.release()
    }
  }
}

/** The source where the credential is bound to one, else who holds it. */
function ownerOf(request: FastifyRequest): string {
  const { tenant, source, subject } = callerOf(request)
  return JSON.stringify(source === undefined ? [tenant, subject] : [tenant, 'source', source])
}

/** What the body may need while it is read; of one in chunks nobody knows. */
function announcedBytes({ headers }: FastifyRequest): number {
  if (headers['transfer-encoding'] !== undefined) return MAX_BODY_BYTES
  // A longer one is refused before it is read.
  return Math.min(Number(headers['content-length'] ?? 0), MAX_BODY_BYTES)
}

// RFC 9659: over HTTP a zstd frame asks for a window of 8 MiB at most, whatever it holds.
const MAX_ZSTD_WINDOW_LOG = 23
const CHUNK_BYTES = 64 * 1024

const ZSTD = { chunkSize: CHUNK_BYTES, params: { [constants.ZSTD_d_windowLogMax]: MAX_ZSTD_WINDOW_LOG } }

type Inflate = (body: Buffer) => AsyncIterable<Buffer>

const inflateGzip: Inflate = (body) => createGunzip({ chunkSize: CHUNK_BYTES }).end(body)

// RFC 9110 means zlib by `deflate`; some programs send the bare stream all the same. The Collector calls it `zlib` as well.
const inflateZlib: Inflate = (body) => {
  const options = { chunkSize: CHUNK_BYTES }
  const isZlib = ((body[0] ?? 0) & 0x0f) === 8 && body.byteLength > 1 && body.readUInt16BE(0) % 31 === 0
  return (isZlib ? createInflate(options) : createInflateRaw(options)).end(body)
}

/** The words for `Accept-Encoding`. */
export const CONTENT_ENCODINGS = ['gzip', 'zstd', 'deflate'] as const

const ENCODINGS: Readonly<Record<string, Inflate>> = {
  gzip: inflateGzip,
  'x-gzip': inflateGzip,
  deflate: inflateZlib,
  zlib: inflateZlib,
  zstd: async function* (body) {
    for await (const frame of zstdFrames([body])) {
      const packed = Readable.from(frame, { objectMode: false })
      // The callback has nothing to add.
      yield* pipeline(packed, createZstdDecompress(ZSTD), () => {}) as AsyncIterable<Buffer>
    }
  },
}

/**
 * Undoes `Content-Encoding: gzip`, `zstd` or `deflate`, stopping at the limit so that a small body cannot fill the memory.
 * `onGrowth` hears how many bytes there are so far, before the next ones are made, and may throw.
 * @throws GatewatchError `payload_too_large`, `encoding_unsupported`, or `request_invalid` for broken bodies
 */
export async function decodeBody(
  body: Buffer,
  contentEncoding: string | undefined,
  options: { readonly maxInflatedBytes?: number; readonly onGrowth?: (bytes: number) => void } = {},
): Promise<Buffer> {
  const { maxInflatedBytes = MAX_INFLATED_BYTES, onGrowth = () => {} } = options
  const named = (contentEncoding ?? '').toLowerCase().split(',')
  const encoding = named
    .map((each) => each.trim())
    .filter((each) => each !== '' && each !== 'identity')
    .join(', ')
  if (encoding === '') return body
  const inflate = Object.hasOwn(ENCODINGS, encoding) ? ENCODINGS[encoding] : undefined
  if (inflate === undefined) {
    throw new GatewatchError(
      'encoding_unsupported',
      'The body’s Content-Encoding is not one of those that are read.',
      {
        field: 'content-encoding',
        remedy: `Send the body as it is, or with Content-Encoding: ${CONTENT_ENCODINGS.join(' or ')}, one at a time.`,
      },
    )
  }
  const parts: Buffer[] = []
  let size = 0
  try {
    for await (const part of inflate(body)) {
      size += part.byteLength
      if (size > maxInflatedBytes) {
        throw new GatewatchError(
          'payload_too_large',
          `The body is larger than ${maxInflatedBytes} bytes when unpacked.`,
          { remedy: 'Send it in several requests.' },
        )
      }
      onGrowth(size)
      parts.push(part)
    }
  } catch (cause) {
    if (cause instanceof GatewatchError) throw cause
    throw new GatewatchError('request_invalid', `The body is not valid ${encoding}: ${messageOf(cause)}.`, {
      cause,
      field: 'content-encoding',
    })
  }
  return Buffer.concat(parts, size)
}

/** For calls whose body has optional fields only: no body is one without fields. */
export async function emptyBodyIsNoFields(request: FastifyRequest): Promise<void> {
  request.body ??= {}
}
