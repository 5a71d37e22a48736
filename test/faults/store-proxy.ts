import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '../helpers/ports.ts'
import type { Verdict } from '../helpers/tcp-proxy.ts'

/** Waits for one insert on its way to the store, or for one question. */
export interface InsertTrap {
  /**
   * @param insert the statement, with its table and token; empty for a question
   * @param text everything that is sent: the parameters of the address, and the body
   */
  matches(insert: string, text: () => string): boolean
  /** `before`: the store never saw it. `during`: it has it, and has not answered. `after`: the answer is lost. */
  readonly at: 'before' | 'during' | 'after'
  spring(): Promise<Verdict>
}

/** An HTTP proxy between one gatewatch and its store. */
export interface StoreProxy {
  readonly url: string
  arm(trap: InsertTrap): () => void
  /** Holds up every request by this many milliseconds. */
  delay(ms: number): void
  /** Answers every question whose text contains this with a fault of its own; `undefined` ends it. */
  failQuestions(about: string | undefined): void
  /** Cuts every connection now, and every new one while `refused`. */
  refuse(refused: boolean): void
  close(): Promise<void>
}

const OUT_OF_MEMORY =
  'Code: 241. DB::Exception: (total) memory limit exceeded: would use 10.00 GiB. (MEMORY_LIMIT_EXCEEDED)'

/** @param target URL of the store */
export async function startStoreProxy(target: string): Promise<StoreProxy> {
  const [port = 0] = await freePorts(1)
  const { hostname, port: targetPort } = new URL(target)
  const agent = new Agent({ keepAlive: true })
  const traps = new Set<InsertTrap>()
  let delayMs = 0
  let refused = false
  let failing: string | undefined

  const take = (insert: string, text: () => string, at: InsertTrap['at']) => {
    for (const trap of traps) {
      if (trap.at !== at || !trap.matches(insert, text)) continue
      traps.delete(trap)
      return trap
    }
    return undefined
  }

  const forward = async (incoming: IncomingMessage, body: Buffer) => {
    const { 'transfer-encoding': _, ...headers } = incoming.headers
    const outgoing = request({
      ...{ host: hostname, port: targetPort, method: incoming.method, path: incoming.url, agent },
      headers: { ...headers, 'content-length': String(body.length) },
    })
    outgoing.end(body)
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
    return { status: answer.statusCode ?? 500, headers: answer.headers, body: await buffer(answer) }
  }

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const cut = () => void incoming.socket.destroy()
    try {
      if (refused) return cut()
      const body = await buffer(incoming)
      const { searchParams } = new URL(incoming.url ?? '/', 'http://store')
      const insert = searchParams.get('query') ?? ''
      const text = () => `${[...searchParams.values()].join('\n')}\n${body}`
      if (delayMs > 0) await sleep(delayMs)
      if (failing !== undefined && insert === '' && text().includes(failing)) {
        response.writeHead(500, { 'x-clickhouse-exception-code': '241' }).end(OUT_OF_MEMORY)
        return
      }
      const before = take(insert, text, 'before')
      if (before !== undefined && (await before.spring()) === 'cut') return cut()
      const [during, after] = [take(insert, text, 'during'), take(insert, text, 'after')]
      const answering = forward(incoming, body)
      if (during !== undefined) {
        answering.catch(() => {})
        if ((await during.spring()) === 'cut') return cut()
      }
      const answer = await answering
      if (after !== undefined && (await after.spring()) === 'cut') return cut()
      const { 'transfer-encoding': _, connection: __, ...headers } = answer.headers
      response.writeHead(answer.status, { ...headers, 'content-length': String(answer.body.length) })
      response.end(answer.body)
    } catch {
      cut()
    }
  }

  const listener = createServer({ maxHeaderSize: 1 << 20 }, (incoming, response) => {
    void serve(incoming, response)
  }).listen(port, '127.0.0.1')
  await once(listener, 'listening')
  return {
    url: `http://127.0.0.1:${port}`,
    arm: (trap) => {
      traps.add(trap)
      return () => void traps.delete(trap)
    },
    delay: (ms) => {
      delayMs = ms
    },
    failQuestions: (about) => {
      failing = about
    },
    refuse: (value) => {
      refused = value
      if (refused) listener.closeAllConnections()
    },
    close: async () => {
      const closed = once(listener, 'close')
      listener.close()
      listener.closeAllConnections()
      agent.destroy()
      await closed
    },
  }
}
