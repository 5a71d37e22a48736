import { describe, expect, it } from 'vitest'
import { createReaderPool, type Reader } from '../../../store/reader-pool.ts'

/** A connection as the engine has it: what a failed query left comes out before the rows of the next. */
interface Connection {
  readonly id: number
  ask(rows: readonly string[], fails?: boolean): Promise<string[]>
}

/** An engine whose opening and closing can be made to fail. */
function createEngine() {
  const state = { opened: 0, open: 0, mostOpen: 0, openFaults: 0, closeFails: false }
  const open = async (): Promise<Reader<Connection>> => {
    if (state.openFaults > 0) {
      state.openFaults -= 1
      throw new Error('no connection')
    }
    state.opened += 1
    state.open += 1
    state.mostOpen = Math.max(state.mostOpen, state.open)
    let left: string[] = []
    return {
      client: {
        id: state.opened,
        ask: async (rows, fails = false) => {
          const answer = [...left, ...rows]
          left = []
          await Promise.resolve()
          if (!fails) return answer
          left = [...rows]
          throw new Error('failed half-way')
        },
      },
      close: async () => {
        state.open -= 1
        if (state.closeFails) throw new Error('does not close')
      },
    }
  }
  return { state, open }
}

describe('a pool of readers', () => {
  it('throws a connection away after a failed query', async () => {
    const { open } = createEngine()
    const pool = createReaderPool(open, 1)
    await expect(pool.use((it) => it.ask(['of tenant a'], true))).rejects.toThrow('failed half-way')
    expect(await pool.use((it) => it.ask(['of tenant b']))).toEqual(['of tenant b'])
  })

  // Issue 9, fault 8.
  it('never hands on what a failed query left, when no connection can be opened', async () => {
    const { state, open } = createEngine()
    const pool = createReaderPool(open, 1)
    await pool.use((it) => it.ask([]))
    state.openFaults = 2
    await expect(pool.use((it) => it.ask(['of tenant a'], true))).rejects.toThrow('failed half-way')
    await expect(pool.use((it) => it.ask(['of tenant b']))).rejects.toThrow('no connection')
    await expect(pool.use((it) => it.ask(['of tenant b']))).rejects.toThrow('no connection')
    expect(await pool.use((it) => it.ask(['of tenant b']))).toEqual(['of tenant b'])
  })

  it('never hands on what a failed query left, when its connection does not close', async () => {
    const { state, open } = createEngine()
    const pool = createReaderPool(open, 1)
    state.closeFails = true
    await expect(pool.use((it) => it.ask(['of tenant a'], true))).rejects.toThrow('failed half-way')
    expect(await pool.use((it) => it.ask(['of tenant b']))).toEqual(['of tenant b'])
  })

  it('serves those who wait also when opening fails for the one before', async () => {
    const { state, open } = createEngine()
    const pool = createReaderPool(open, 1)
    state.openFaults = 1
    const first = pool.use((it) => it.ask(['1']))
    const second = pool.use((it) => it.ask(['2']))
    await expect(first).rejects.toThrow('no connection')
    expect(await second).toEqual(['2'])
  })

  it('has no more connections than its size, and uses them again', async () => {
    const { state, open } = createEngine()
    const pool = createReaderPool(open, 2)
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => pool.use((it) => it.ask([String(index)]))),
    )
    expect(answers.flat()).toEqual(Array.from({ length: 20 }, (_, index) => String(index)))
    expect(state).toMatchObject({ opened: 2, mostOpen: 2 })
  })

  it('closes when what waits is done, twice as well as once, and serves nobody after', async () => {
    const { state, open } = createEngine()
    const pool = createReaderPool(open, 1)
    const answers = [pool.use((it) => it.ask(['1'])), pool.use((it) => it.ask(['2']))]
    await Promise.all([pool.close(), pool.close()])
    expect(await Promise.all(answers)).toEqual([['1'], ['2']])
    expect(state.open).toBe(0)
    await expect(pool.use((it) => it.ask([]))).rejects.toMatchObject({ code: 'store_unavailable' })
  })
})
