import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { Registry } from 'prom-client'
import { afterEach, describe, expect, it } from 'vitest'
import { createByteBudget } from '../../../api/byte-budget.ts'
import { decodeBody } from '../../../api/request-body.ts'
import { startApi } from './api-fixture.ts'

const MIB = 1024 ** 2
const closing: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** An API with room for 4 MiB, whose intake keeps what it is given until it is told to let go. */
async function start() {
  const registry = new Registry()
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const accepted: number[] = []
  const { app, apiKey } = await startApi({
    registry,
    intakeBytes: 4 * MIB,
    intake: {
      accept: async ({ bytes }) => {
        accepted.push(bytes.byteLength)
        await released
        return { read: 1, stored: 1, deadLettered: 0, duplicate: 0, conflict: 0, compared: false, errors: [] }
      },
    },
  })
  closing.push(() => app.close(), release)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const metric = async (name: string) => {
    const [value] = (await registry.getSingleMetric(name)?.get())?.values ?? []
    return value?.value
  }
  const post = (path: string, body: Uint8Array, headers: Readonly<Record<string, string>> = {}) =>
    fetch(new URL(path, url), {
      method: 'POST',
      body: body as NonNullable<RequestInit['body']>,
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', ...headers },
    })
  /** A request by hand: its head, and whatever of its body. */
  const open = async (head: readonly string[], body: string | Buffer = ''): Promise<Socket> => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    closing.push(() => socket.destroy())
    await once(socket, 'connect')
    const lines = [
      ...['POST /v1/events HTTP/1.1', 'host: localhost', `authorization: Bearer ${apiKey}`],
      ...['content-type: application/json', ...head],
    ]
    socket.write(`${lines.join('\r\n')}\r\n\r\n`)
    socket.write(body)
    return socket
  }
  const inFlight = () => metric('gatewatch_http_intake_bytes_in_flight')
  const refused = () => metric('gatewatch_http_intake_refused_total')
  return { post, open, accepted, release, inFlight, refused }
}

const answerOf = async (socket: Socket): Promise<string> => String((await once(socket, 'data'))[0])

describe('bytes in flight', () => {
  it('are bounded: what comes too much is 503 with Retry-After, and is taken when there is room', async () => {
    const { post, accepted, release, inFlight, refused } = await start()
    const first = [post('/v1/events', Buffer.alloc(2 * MIB, '{')), post('/v1/events', Buffer.alloc(MIB, '{'))]
    await expect.poll(() => accepted.length).toBe(2)
    expect(await inFlight()).toBe(3 * MIB)
    const third = await post('/v1/events', Buffer.alloc(2 * MIB, '{'))
    expect([third.status, third.headers.get('retry-after')]).toEqual([503, '2'])
    expect(await third.json()).toMatchObject({ code: 'overloaded', retryable: true })
    expect(await refused()).toBe(1)
    release()
    for (const answer of first) expect((await answer).status).toBe(202)
    expect((await post('/v1/events', Buffer.alloc(2 * MIB, '{'))).status).toBe(202)
    await expect.poll(inFlight).toBe(0)
  })

  it('count before the body is read: the head alone is answered', async () => {
    const { open } = await start()
    expect(await answerOf(await open([`content-length: ${5 * MIB}`]))).toMatch(/^HTTP\/1\.1 503 /)
    // In chunks, nobody knows how many will come.
    expect(await answerOf(await open(['transfer-encoding: chunked']))).toMatch(/^HTTP\/1\.1 503 /)
  })

  it.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ])('count while a body is inflated: %s', async (encoding, compress) => {
    const { post, accepted, inFlight, refused } = await start()
    const bomb = compress(Buffer.alloc(20 * MIB))
    expect(bomb.byteLength).toBeLessThan(MIB / 4)
    for (const path of ['/v1/events', '/v1/logs', '/v1/traces']) {
      const answer = await post(path, bomb, { 'content-encoding': encoding })
      expect([path, answer.status, answer.headers.get('retry-after')]).toEqual([path, 503, '2'])
    }
    expect([accepted, await inFlight(), await refused()]).toEqual([[], 0, 3])
    void post('/v1/logs', compress(Buffer.alloc(3 * MIB, '{')), { 'content-encoding': encoding })
    await expect.poll(() => accepted).toEqual([3 * MIB])
    expect(await inFlight()).toBeGreaterThan(3 * MIB)
  })

  it('are given back when a sender goes away in the middle of its body', async () => {
    const { open, inFlight } = await start()
    const socket = await open([`content-length: ${3 * MIB}`], Buffer.alloc(MIB, '{'))
    await expect.poll(inFlight).toBe(3 * MIB)
    socket.destroy()
    await expect.poll(inFlight).toBe(0)
  })

  it('are not given back when a sender goes away while its records are worked on', async () => {
    const { open, inFlight, accepted, release } = await start()
    const socket = await open([`content-length: ${3 * MIB}`], Buffer.alloc(3 * MIB, '{'))
    await expect.poll(() => accepted.length).toBe(1)
    const closed = once(socket, 'close')
    socket.destroy()
    await closed
    // The server has noticed when it answers somebody who came later.
    expect(await answerOf(await open([`content-length: ${2 * MIB}`]))).toMatch(/^HTTP\/1\.1 503 /)
    expect(await inFlight()).toBe(3 * MIB)
    release()
    await expect.poll(inFlight).toBe(0)
  })

  it('are given back after a refusal of every other kind', async () => {
    const { post, inFlight } = await start()
    const wrong = await post('/v1/logs', Buffer.alloc(MIB), { 'content-type': 'text/plain' })
    const unknown = await post('/v1/events', Buffer.alloc(MIB), { 'content-encoding': 'br' })
    const broken = await post('/v1/events', Buffer.alloc(MIB), { 'content-encoding': 'gzip' })
    expect([wrong.status, unknown.status, broken.status]).toEqual([415, 415, 400])
    await expect.poll(inFlight).toBe(0)
  })
})

describe('the share of one sender', () => {
  const budgetOf = (limitMib: number, largestMib: number) =>
    createByteBudget({
      limitBytes: limitMib * MIB,
      largestBytes: largestMib * MIB,
      registry: new Registry(),
    })

  it('is half, or the largest body: what is left is for others', () => {
    const budget = budgetOf(128, 16)
    budget.take(60 * MIB, 'greedy')
    expect(() => budget.take(5 * MIB, 'greedy')).toThrow(expect.objectContaining({ code: 'overloaded' }))
    budget.take(60 * MIB, 'other')
    // The largest body is never refused for ever.
    expect(() => budgetOf(80, 80).take(80 * MIB, 'anyone')).not.toThrow()
  })

  it('leaves room for small requests of each other sender, when two have taken all', () => {
    const budget = budgetOf(128, 80)
    budget.take(80 * MIB, 'greedy')
    budget.take(48 * MIB, 'greedy too')
    for (const owner of ['greedy', 'greedy too'])
      expect(() => budget.take(1, owner)).toThrow(expect.objectContaining({ code: 'overloaded' }))
    const leases = Array.from({ length: 8 }, (_, index) => budget.take(2 * MIB, `small ${index}`))
    // It is a bound all the same.
    expect(() => budget.take(1, 'one more')).toThrow(expect.objectContaining({ code: 'overloaded' }))
    leases[0]?.release()
    expect(() => budget.take(2 * MIB, 'one more')).not.toThrow()
    // What grows beyond little is refused, and keeps what it had.
    expect(() => leases[1]?.resize(3 * MIB)).toThrow(expect.objectContaining({ code: 'overloaded' }))
  })

  it('comes back whole, and a sender that is gone is not remembered', () => {
    const budget = budgetOf(8, 4)
    for (let round = 0; round < 1000; round += 1) {
      const lease = budget.take(MIB, `sender ${round % 3}`)
      lease.resize(4 * MIB)
      lease.resize(2 * MIB)
      lease.release()
      lease.release()
    }
    const [one, two] = [budget.take(4 * MIB, 'a'), budget.take(4 * MIB, 'b')]
    expect(() => budget.take(2 * MIB, 'c')).toThrow()
    one.release()
    two.release()
    expect(() => budget.take(4 * MIB, 'c')).not.toThrow()
  })
})

describe('an inflated body', () => {
  it.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
    ['deflate', deflateSync],
    ['zlib', deflateSync],
  ] as const)('is whole or refused: %s', async (encoding, compress) => {
    const text = Buffer.from(JSON.stringify(Array.from({ length: 50_000 }, (_, id) => ({ id }))))
    const packed = compress(text)
    expect(await decodeBody(packed, encoding)).toEqual(text)
    expect(await decodeBody(compress(Buffer.alloc(0)), encoding)).toEqual(Buffer.alloc(0))
    const cut = decodeBody(packed.subarray(0, -20), encoding)
    await expect(cut).rejects.toMatchObject({ code: 'request_invalid' })
    const large = decodeBody(packed, encoding, { maxInflatedBytes: text.byteLength - 1 })
    await expect(large).rejects.toMatchObject({ code: 'payload_too_large' })
  })
})

describe('Content-Encoding', () => {
  const text = Buffer.from('{"resourceSpans":[]}')

  it.each([
    ['deflate', deflateRawSync(text)],
    ['identity', text],
    ['gzip, identity', gzipSync(text)],
    [' GZIP ', gzipSync(text)],
  ])('%s is read', async (encoding, body) => expect(await decodeBody(body, encoding)).toEqual(text))

  it.each(['br', 'snappy', 'lz4', 'gzip, gzip', '__proto__'])(
    '%s is refused by its own code',
    async (encoding) => {
      await expect(decodeBody(text, encoding)).rejects.toMatchObject({ code: 'encoding_unsupported' })
    },
  )
})
