import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ReceivedRequest {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** What a test receiver does with a request: a status with headers, no answer at all, or a torn connection. */
export type Behaviour = { status: number; headers?: Record<string, string> } | 'hang' | 'reset'

export interface TestReceiver {
  readonly url: string
  readonly requests: ReceivedRequest[]
  /** For the requests from now on. */
  behave(next: Behaviour | ((request: ReceivedRequest, count: number) => Behaviour)): void
  close(): Promise<void>
}

/** A real HTTP server on 127.0.0.1 that keeps what it got. Answers 204 unless told otherwise. */
export async function startReceiver(): Promise<TestReceiver> {
  const requests: ReceivedRequest[] = []
  let behaviour: Behaviour | ((request: ReceivedRequest, count: number) => Behaviour) = { status: 204 }
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const received = { headers: request.headers, body: Buffer.concat(chunks).toString('utf8') }
      requests.push(received)
      const now = typeof behaviour === 'function' ? behaviour(received, requests.length) : behaviour
      if (now === 'hang') return
      if (now === 'reset') request.socket.resetAndDestroy()
      else response.writeHead(now.status, now.headers).end('ok')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=hunter2`,
    requests,
    behave: (next) => {
      behaviour = next
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
