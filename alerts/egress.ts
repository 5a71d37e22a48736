import { lookup } from 'node:dns/promises'
import * as http from 'node:http'
import * as https from 'node:https'
import type { LookupFunction } from 'node:net'
import { GatewatchError } from '../core/errors.ts'
import { stableId } from '../core/hash.ts'
import { addressRefusal, literalOf, parseReceiverUrl } from './address.ts'

/**
 * The only way out to receivers. Guards against server-side request forgery: every address that the host resolves to
 * must be allowed, the connection goes to the very addresses that were checked (so a second look-up cannot swap them), one
 * after the other until one is connected to, and redirects are answers like any other, never followed. Proxy variables of the environment are not honoured.
 */
export interface Egress {
  /** A hash of the address. */
  readonly target: string
  /** Sends one POST. Never throws: what went wrong is a value. */
  post(request: EgressRequest): Promise<EgressResult>
}

export interface EgressRequest {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
}

export type EgressResult =
  | { readonly answered: true; readonly status: number; readonly retryAfter?: string; readonly text: string }
  /**
   * `sent` false means that the receiver cannot have got it; `refused` means that our own guard forbids the address.
   */
  | { readonly answered: false; readonly sent: boolean; readonly refused: boolean; readonly error: string }

export interface EgressOptions {
  readonly url: string
  /** Where the receiver is in the configuration, for errors: `receivers.0`. */
  readonly field?: string
  readonly allowPrivate?: boolean
  /** For the whole exchange, name resolution included. Default 15 s. */
  readonly timeoutMs?: number
  readonly resolve?: (host: string) => Promise<readonly { address: string; family: number }[]>
}

// A host with more has these tried; each but the last may take so much of the time for its connection.
const MAX_ADDRESSES = 4
const CONNECT_SHARE = 5

const MAX_ANSWER_BYTES = 64 * 1024

/** @throws GatewatchError `config_invalid` when the address cannot be used at all */
export function createEgress(options: EgressOptions): Egress {
  const { allowPrivate = false, timeoutMs = 15_000, resolve = resolveAll } = options
  const url = parseReceiverUrl(options.url, allowPrivate)
  if (typeof url === 'string') {
    throw new GatewatchError('config_invalid', `The address of the receiver ${url}.`, {
      ...(options.field === undefined ? {} : { field: `${options.field}.url` }),
      remedy: 'Give a full https:// address; for a receiver in your own network set allow_private: true.',
    })
  }
  return {
    target: stableId('target', url.href),
    async post(request) {
      const deadline = AbortSignal.timeout(timeoutMs)
      const signal = AbortSignal.any([request.signal, deadline])
      const checked = await checkedAddresses(url, allowPrivate, resolve, signal)
      if ('answered' in checked) return checked
      const whyAborted = () =>
        deadline.aborted ? `No answer within ${timeoutMs} ms.` : 'Stopped before an answer came.'
      let result: EgressResult = unsent('The host’s name has no address.')
      for (const [index, address] of checked.entries()) {
        const left = checked.length - index
        // Nothing was sent before a connection stood, so the next address cannot make two of one message.
        const connectMs = left > 1 ? Math.max(timeoutMs / CONNECT_SHARE, 1) : undefined
        result = await exchange(url, address, request, signal, { whyAborted, connectMs })
        if (result.answered || result.sent || signal.aborted) return result
      }
      return result
    },
  }
}

const resolveAll = (host: string) => lookup(host, { all: true, verbatim: true })

const unsent = (error: string, refused = false): EgressResult & { answered: false } => ({
  answered: false,
  sent: false,
  refused,
  error,
})

async function checkedAddresses(
  url: URL,
  allowPrivate: boolean,
  resolve: NonNullable<EgressOptions['resolve']>,
  signal: AbortSignal,
): Promise<readonly { address: string; family: number }[] | (EgressResult & { answered: false })> {
  const literal = literalOf(url)
  let addresses: readonly { address: string; family: number }[]
  try {
    addresses =
      literal === undefined
        ? await abortable(resolve(url.hostname), signal)
        : [{ address: literal, family: literal.includes(':') ? 6 : 4 }]
  } catch (error) {
    return unsent(`The host’s name was not resolved (${errorCodeOf(error)}).`)
  }
  for (const { address } of addresses) {
    const refusal = addressRefusal(address, allowPrivate)
    if (refusal !== undefined) return unsent(`Not sent: the receiver’s host ${refusal}.`, true)
  }
  return addresses.length === 0
    ? unsent('The host’s name has no address.')
    : addresses.slice(0, MAX_ADDRESSES)
}

function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const stop = () => reject(signal.reason)
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  return promise
}

function exchange(
  url: URL,
  pinned: { address: string; family: number },
  { headers, body }: EgressRequest,
  outer: AbortSignal,
  { whyAborted, connectMs }: { whyAborted: () => string; connectMs: number | undefined },
): Promise<EgressResult> {
  const { promise, resolve } = Promise.withResolvers<EgressResult>()
  const tooSlow = new AbortController()
  const timer = connectMs === undefined ? undefined : setTimeout(() => tooSlow.abort(), connectMs)
  const signal = AbortSignal.any([outer, tooSlow.signal])
  // Node asks for one address or for all, depending on the socket’s options.
  const pinnedLookup: LookupFunction = (_host, { all }, done) =>
    all ? done(null, [pinned]) : done(null, pinned.address, pinned.family)
  const client = url.protocol === 'https:' ? https : http
  const request = client.request(url, {
    method: 'POST',
    agent: false,
    signal,
    lookup: pinnedLookup,
    headers: {
      ...headers,
      'content-length': Buffer.byteLength(body),
      'user-agent': 'gatewatch',
      connection: 'close',
    },
  })
  let sent = false
  const fail = (error: unknown) =>
    resolve({
      answered: false,
      sent,
      refused: false,
      error: outer.aborted
        ? whyAborted()
        : `The connection failed (${tooSlow.signal.aborted ? 'ETIMEDOUT' : errorCodeOf(error)}).`,
    })
  request.on('socket', (socket) => {
    socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
      sent = true
      clearTimeout(timer)
    })
  })
  request.on('error', fail)
  request.on('response', (response) => {
    const chunks: Buffer[] = []
    let size = 0
    const settle = () =>
      resolve({
        answered: true,
        status: response.statusCode ?? 0,
        ...(response.headers['retry-after'] === undefined
          ? {}
          : { retryAfter: response.headers['retry-after'] }),
        text: Buffer.concat(chunks).toString('utf8'),
      })
    response.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= MAX_ANSWER_BYTES) chunks.push(chunk)
      // The status decides; the rest of an endless answer is not waited for.
      else response.destroy()
    })
    response.on('close', settle)
    response.on('error', settle)
  })
  request.end(body)
  return promise.finally(() => clearTimeout(timer))
}

// A short stable word; the message could name the address.
function errorCodeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  if (typeof code === 'string') return code
  return error instanceof Error ? error.name : 'unknown'
}
