import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** One notification as a webhook receiver got it. */
export interface Message {
  /** The header `webhook-id`: the same on every attempt of one delivery. */
  readonly id: string
  readonly actor: string
  readonly notice: string
  /** `performance.now()`. */
  readonly atMs: number
}

/** A real receiver on loopback that keeps what it got, in the order in which it came. */
export async function openReceiver(): Promise<{
  readonly url: string
  readonly messages: readonly Message[]
  close(): Promise<void>
}> {
  const messages: Message[] = []
  const server = createServer(async (request, response) => {
    const body = JSON.parse(await text(request)) as {
      data: { unmapped: { gatewatch: { actor: string; notice: string } } }
    }
    const { actor, notice } = body.data.unmapped.gatewatch
    messages.push({ id: String(request.headers['webhook-id']), actor, notice, atMs: performance.now() })
    response.writeHead(204).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    messages,
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
