import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Attack, Target } from './attack.ts'

const MIB = 1024 ** 2
const BODY = 16 * MIB
// Twice what fits into the memory that bodies have.
const CONNECTIONS = 16
// What the server does with a head is done by then, or with the next request that is answered.
const SETTLE_MS = 500

/**
 * The heads alone count: each announces the largest body, and sends none of it. Beside them the same with a key that nobody has,
 * whose bodies must not count at all.
 */
export const attack: Attack = {
  name: 'A source has as many bodies in flight as it can, and another’s small request is refused',
  kind: 'bytes in flight',
  section: 2,
  run: async (context) => {
    const target = await context.fresh()
    const { victim, attacker } = target.pair()
    const sockets: Socket[] = []
    try {
      const unknown = await Promise.all(
        Array.from({ length: CONNECTIONS }, () => open(target, `gw_${'A'.repeat(43)}`, sockets)),
      )
      const refused = await Promise.all(unknown.map((socket) => statusOf(socket)))
      const opened = await Promise.all(
        Array.from({ length: CONNECTIONS }, () => open(target, attacker.key, sockets)),
      )
      const answers = opened.map((socket) => statusOf(socket))
      await sleep(SETTLE_MS)
      const reply = await victim.post('/v1/events', small, { 'content-type': 'application/json' })
      await reply.body?.cancel()
      for (const socket of sockets) socket.destroy()
      const held = (await Promise.all(answers)).filter((status) => status === undefined).length
      if (held === 0) throw new Error('the attacker had nothing in flight')
      return {
        succeeded: reply.status !== 202 || refused.some((status) => status !== 401),
        detail: `${held} bodies of ${BODY / MIB} MiB in flight, another’s small request: ${reply.status}; without a credential: ${refused.join(' ')}`,
      }
    } finally {
      for (const socket of sockets) socket.destroy()
    }
  },
}

const small = JSON.stringify({
  event_id: 'small-beside-many',
  'user.email': 'ada@acme.example',
  'mcp.server.name': 'files',
  'mcp.method.name': 'tools/call',
  'gen_ai.tool.name': 'read_file',
})

async function open({ url }: Target, key: string, sockets: Socket[]): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write(
    [
      ...['POST /v1/events HTTP/1.1', `host: 127.0.0.1`, `authorization: Bearer ${key}`],
      ...['content-type: application/json', `content-length: ${BODY}`, '', ''],
    ].join('\r\n'),
  )
  return socket
}

/** The status of the answer; undefined when the connection ended without one. */
async function statusOf(socket: Socket): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>()
  socket.once('data', (data: Buffer) => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(String(data))?.[1])))
  socket.once('close', () => resolve(undefined))
  return promise
}
