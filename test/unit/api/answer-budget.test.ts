import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { smallEvent } from '../../helpers/events.ts'
import { startApi } from './api-fixture.ts'

const closing: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

it('who reads no answers is answered 503 before they fill the memory, and again when the connections are gone', async () => {
  const event = smallEvent({ event_id: 'e', 'gen_ai.tool.call.arguments': 'x'.repeat(32 * 1024 ** 2) })
  const { app, apiKey } = await startApi({
    events: {
      search: async () => ({ events: [event] }),
      byId: async () => undefined,
      byIds: async () => [],
      chain: async () => ({ events: [] }),
    },
  })
  closing.push(() => app.close())
  const url = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  const sockets = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const socket = connect(Number(url.port), '127.0.0.1')
      closing.push(() => socket.destroy())
      await once(socket, 'connect')
      socket.write(`GET /v1/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${apiKey}\r\n\r\n`)
      // The first bytes, and then nothing more is read.
      await once(socket, 'readable')
      return socket
    }),
  )
  const ask = async () => {
    const reply = await fetch(new URL('/v1/events', url), { headers: { authorization: `Bearer ${apiKey}` } })
    await reply.body?.cancel()
    return [reply.status, reply.headers.get('retry-after')]
  }
  expect(await ask()).toEqual([503, '2'])
  for (const socket of sockets) socket.destroy()
  await expect.poll(async () => (await ask())[0]).toBe(200)
})

it('an answer whose connection is gone before it is ready takes nothing from the ones after it', async () => {
  const event = smallEvent({ event_id: 'e', 'gen_ai.tool.call.arguments': 'x'.repeat(32 * 1024 ** 2) })
  let asked = 0
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const { app, apiKey } = await startApi({
    events: {
      search: async () => {
        asked += 1
        await held
        return { events: [event] }
      },
      byId: async () => undefined,
      byIds: async () => [],
      chain: async () => ({ events: [] }),
    },
  })
  closing.push(() => app.close())
  const url = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
  let gone = 0
  app.server.on('connection', (socket) => socket.once('close', () => gone++))
  const sockets = Array.from({ length: 6 }, () => connect(Number(url.port), '127.0.0.1'))
  for (const socket of sockets)
    socket.write(`GET /v1/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${apiKey}\r\n\r\n`)
  await expect.poll(() => asked).toBe(6)
  for (const socket of sockets) socket.destroy()
  await expect.poll(() => gone).toBe(6)
  release()
  const reply = await fetch(new URL('/v1/events', url), { headers: { authorization: `Bearer ${apiKey}` } })
  expect(reply.status).toBe(200)
  expect((await reply.text()).length).toBeGreaterThan(32 * 1024 ** 2)
})
