import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import type { Clock } from '../core/clock.ts'

/** What the demo’s receiver got. */
export interface ReceivedWebhook {
  readonly webhook_id: string
  /** Whether the Standard Webhooks library accepts the signature. */
  readonly verified: boolean
  /** ISO 8601 UTC. */
  readonly received_at: string
  readonly type: string
  /** The body as JSON; null when it is not JSON. */
  readonly body: unknown
}

/** A receiver in this process, so that a demo shows what an outside system would get. Keeps the newest 200. */
export interface DemoReceiver {
  /** What a receiver does with a webhook. @returns the HTTP status to answer */
  handle(body: string, headers: IncomingHttpHeaders): 204 | 400 | 401
  /** Newest first; a repetition under the same id is listed once. */
  received(): readonly ReceivedWebhook[]
  /** Listens on 127.0.0.1. @returns the address to send to */
  listen(port?: number): Promise<string>
  close(): Promise<void>
}

const KEPT = 200
const MAX_BODY_BYTES = 64 * 1024

export function createDemoReceiver({ secret, clock }: { secret: string; clock: Clock }): DemoReceiver {
  const webhook = new Webhook(secret)
  const received = new Map<string, ReceivedWebhook>()
  let server: Server | undefined
  const receiver: DemoReceiver = {
    handle(body, headers) {
      const id = headers['webhook-id']
      if (typeof id !== 'string' || id === '') return 400
      const verified = verify(webhook, body, headers)
      const parsed = parse(body)
      const known = received.get(id)
      if (known === undefined || (verified && !known.verified)) {
        received.set(id, {
          webhook_id: id,
          verified,
          received_at: new Date(clock.now()).toISOString(),
          type: typeOf(parsed),
          body: parsed,
        })
      }
      for (const oldest of received.keys()) {
        if (received.size <= KEPT) break
        received.delete(oldest)
      }
      return verified ? 204 : 401
    },
    received: () => [...received.values()].reverse(),
    async listen(port = 0) {
      const listening = createServer((request, response) => {
        const chunks: Buffer[] = []
        let size = 0
        request.on('data', (chunk: Buffer) => {
          size += chunk.length
          if (size > MAX_BODY_BYTES) request.destroy()
          else chunks.push(chunk)
        })
        request.on('end', () => {
          const status =
            request.method === 'POST'
              ? receiver.handle(Buffer.concat(chunks).toString('utf8'), request.headers)
              : 405
          response.writeHead(status).end()
        })
        request.on('error', () => response.destroy())
      })
      server = listening
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      listening.once('error', reject)
      listening.listen(port, '127.0.0.1', resolve)
      await promise
      return `http://127.0.0.1:${(listening.address() as AddressInfo).port}/`
    },
    async close() {
      if (server === undefined) return
      const { promise, resolve } = Promise.withResolvers<void>()
      server.close(() => resolve())
      server.closeAllConnections()
      await promise
      server = undefined
    },
  }
  return receiver
}

// The library compares with its own clock: five minutes either way.
function verify(webhook: Webhook, body: string, headers: IncomingHttpHeaders): boolean {
  try {
    webhook.verify(body, headers as Record<string, string>, { jsonParse: false })
    return true
  } catch {
    return false
  }
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return null
  }
}

const typeOf = (body: unknown): string => {
  const type = typeof body === 'object' && body !== null && 'type' in body ? body.type : undefined
  return typeof type === 'string' ? type.slice(0, 100) : ''
}
