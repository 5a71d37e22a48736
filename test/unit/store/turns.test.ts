import { describe, expect, it } from 'vitest'
import { createTurns, runForAsker } from '../../../store/turns.ts'

const LIMITS = { maxWaiting: 4, maxWaitingEach: 2, maxWaitMs: 60_000 }
const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('turns', () => {
  it('go first to who has fewest, then to who waits longest', async () => {
    const turns = createTurns(1, { ...LIMITS, maxWaitingEach: 10, maxWaiting: 10 })
    const order: string[] = []
    const ask = async (name: string) => {
      const give = await turns.take({ name })
      order.push(name)
      await settled()
      give()
    }
    const pair = createTurns(2)
    const first = await pair.take({ name: 'alice' })
    await pair.take({ name: 'bob' })
    const next = [
      pair.take({ name: 'bob' }).then(() => 'bob'),
      pair.take({ name: 'carol' }).then(() => 'carol'),
    ]
    first()
    expect(await Promise.race(next)).toBe('carol')
    await Promise.all(['a', 'a', 'b', 'a', 'c'].map(ask))
    expect(order).toEqual(['a', 'a', 'b', 'a', 'c'])
  })

  it('refuse who waits for too many, and everyone when too many wait, with when to come again', async () => {
    const turns = createTurns(1, LIMITS)
    const give = await turns.take({ name: 'a' })
    const refused = { code: 'query_queue_full', retryable: true, place: { retryAfterSeconds: 5 } }
    const waiting = [turns.take({ name: 'a' }), turns.take({ name: 'a' })]
    await expect(turns.take({ name: 'a' })).rejects.toMatchObject(refused)
    waiting.push(turns.take({ name: 'b' }), turns.take({ name: 'c' }))
    await expect(turns.take({ name: 'd' })).rejects.toMatchObject(refused)
    // The program's own work has no bounds here.
    waiting.push(turns.take())
    give()
    for (const each of waiting) (await each)()
    await turns.idle()
  })

  it('are not waited for without end', async () => {
    const turns = createTurns(1, { ...LIMITS, maxWaitMs: 1 })
    const give = await turns.take({ name: 'a' })
    await expect(turns.take({ name: 'b' })).rejects.toMatchObject({ code: 'query_queue_full' })
    const own = turns.take()
    give()
    ;(await own)()
    await turns.idle()
  })

  it('pass by who is gone, at once', async () => {
    const turns = createTurns(1, LIMITS)
    const give = await turns.take({ name: 'a' })
    const gone = new AbortController()
    const left = turns.take({ name: 'a', signal: gone.signal })
    const after = turns.take({ name: 'a' })
    gone.abort()
    await expect(left).rejects.toMatchObject({ code: 'request_closed' })
    // The place in the queue is free again.
    const third = turns.take({ name: 'a' })
    await expect(turns.take({ name: 'a', signal: gone.signal })).rejects.toMatchObject({
      code: 'request_closed',
    })
    give()
    ;(await after)()
    ;(await third)()
    await turns.idle()
  })
})

describe('a question for an asker', () => {
  const untilAborted = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(new Error('Query was cancelled.')))
    })

  it('ends when the asker is gone, and when its time is over', async () => {
    const gone = new AbortController()
    const asked = runForAsker({ name: 'a', signal: gone.signal }, 60_000, untilAborted)
    gone.abort()
    await expect(asked).rejects.toMatchObject({ code: 'request_closed' })
    await expect(runForAsker({ name: 'a' }, 1, untilAborted)).rejects.toMatchObject({
      code: 'query_timeout',
      retryable: true,
    })
  })

  it('gives its answer or its own error else', async () => {
    expect(await runForAsker({ name: 'a' }, 60_000, async () => 1)).toBe(1)
    const broken = runForAsker({ name: 'a' }, 60_000, () => Promise.reject(new Error('no such column')))
    await expect(broken).rejects.toThrow('no such column')
  })
})
