import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** What becomes of the connection on which a trap went off: it goes on, or it is cut without another byte. */
export type Verdict = 'pass' | 'cut'

/** Waits for one request. The connection stands still until `spring` resolves. */
export interface Trap {
  matches(request: Buffer): boolean
  /** `before`: the server never saw the request. `after`: it has answered, and the client has not heard it. */
  readonly at: 'before' | 'after'
  spring(): Promise<Verdict>
}

/**
 * A proxy for protocols whose requests and answers begin with their length (four bytes, big-endian) and a request’s
 * answer begins with the number that the request has at its fifth byte: Kafka’s.
 */
export interface TcpProxy {
  readonly port: number
  /** Sets a trap for one request; returns how to take it away again. */
  arm(trap: Trap): () => void
  /** Cuts every connection. */
  cutAll(): void
  /** Holds up every request by this many milliseconds. */
  delay(ms: number): void
  close(): Promise<void>
}

/**
 * @param options.rewrite changes a request in place before it is looked at
 * @param options.port to listen on @param options.target `host:port`
 */
export async function startTcpProxy(options: {
  readonly port: number
  readonly target: string
  readonly rewrite?: (request: Buffer) => void
}): Promise<TcpProxy> {
  const [host = '', port = ''] = options.target.split(':')
  const traps = new Set<Trap>()
  const sockets = new Set<Socket>()
  let delayMs = 0

  const take = (request: Buffer, at: Trap['at']): Trap | undefined => {
    for (const trap of traps) {
      if (trap.at !== at || !trap.matches(request)) continue
      traps.delete(trap)
      return trap
    }
    return undefined
  }

  const serve = (client: Socket) => {
    const server = connect(Number(port), host)
    const cut = () => {
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      sockets.add(socket)
      socket.on('error', cut).on('close', () => {
        sockets.delete(socket)
        cut()
      })
    }
    const waiting = new Map<number, Trap>()
    const onRequest = async (frame: Buffer) => {
      options.rewrite?.(frame.subarray(4))
      const request = frame.subarray(4)
      if (delayMs > 0) await sleep(delayMs)
      const before = take(request, 'before')
      if (before !== undefined && (await before.spring()) === 'cut') return cut()
      const after = take(request, 'after')
      if (after !== undefined) waiting.set(request.readInt32BE(4), after)
      server.write(frame)
    }
    const onAnswer = async (frame: Buffer) => {
      const trap = waiting.get(frame.readInt32BE(4))
      if (trap !== undefined) {
        waiting.delete(frame.readInt32BE(4))
        if ((await trap.spring()) === 'cut') return cut()
      }
      client.write(frame)
    }
    pump(client, onRequest)
    pump(server, onAnswer)
  }

  const listener = createServer(serve).listen(options.port, '127.0.0.1')
  await once(listener, 'listening')
  const cutAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: options.port,
    arm: (trap) => {
      traps.add(trap)
      return () => void traps.delete(trap)
    },
    cutAll,
    delay: (ms) => {
      delayMs = ms
    },
    close: async () => {
      const closed = once(listener, 'close')
      listener.close()
      cutAll()
      await closed
    },
  }
}

/** Calls `onFrame` with each whole frame, its length included, one after the other. */
function pump(socket: Socket, onFrame: (frame: Buffer) => Promise<unknown>): void {
  let chunks: Buffer[] = []
  let bytes = 0
  let turn = Promise.resolve<unknown>(undefined)
  socket.on('data', (chunk) => {
    chunks.push(chunk)
    bytes += chunk.length
    while (bytes >= 4) {
      const all = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      chunks = [all]
      const length = all.readInt32BE(0) + 4
      if (bytes < length) return
      const frame = all.subarray(0, length)
      chunks = [all.subarray(length)]
      bytes -= length
      turn = turn.then(() => onFrame(frame))
    }
  })
}
