import { describe, expect, it } from 'vitest'
import { rowsOf } from '../../../store/row-text.ts'

const textOf = (names: readonly string[], rows: readonly (readonly unknown[])[]): string =>
  [names, ...rows].map((line) => `${JSON.stringify(line)}\n`).join('')

describe('the rows of an answer', () => {
  it('are objects in order, with every value as the store said it', async () => {
    const rows = [
      ['a', 1, null, [1, 2], { b: 'c' }],
      ['line\nbreak, "quotes", \u2028 and ]', -0.5, true, [], {}],
    ]
    expect(await rowsOf(textOf(['text', 'number', 'maybe', 'list', 'map'], rows))).toEqual([
      { text: 'a', number: 1, maybe: null, list: [1, 2], map: { b: 'c' } },
      { text: 'line\nbreak, "quotes", \u2028 and ]', number: -0.5, maybe: true, list: [], map: {} },
    ])
  })

  it('are none without rows, and without an answer', async () => {
    expect(await rowsOf(textOf(['a'], []))).toEqual([])
    expect(await rowsOf('')).toEqual([])
  })

  it.each([1, 999, 20_000])('are all there over many pieces (rows of %i characters)', async (length) => {
    const rows = Array.from({ length: 3_000 }, (_, at): [number, string] => [at, 'x'.repeat(at % length)])
    const read = await rowsOf<{ n: number; text: string }>(textOf(['n', 'text'], rows))
    expect(read.map(({ n, text }) => [n, text])).toEqual(rows)
  })

  it('let other work of the process come in between pieces', async () => {
    const text = textOf(
      ['n', 'text'],
      Array.from({ length: 20_000 }, (_, at) => [at, 'x'.repeat(100)]),
    )
    let others = 0
    let done = false
    const other = (async () => {
      while (!done) {
        await new Promise((resolve) => setImmediate(resolve))
        others++
      }
    })()
    await rowsOf(text)
    done = true
    await other
    expect(others).toBeGreaterThan(10)
  })

  it.each(['["a"]\n[1]\n[2', '["a"]\n[1]\nCode: 241. DB::Exception: Memory limit\n', '["a'])(
    'of an answer that broke off are refused: %j',
    async (text) => {
      await expect(rowsOf(text)).rejects.toThrow(SyntaxError)
    },
  )
})
