import { describe, expect, it } from 'vitest'
import { rowsOf } from '../../../store/row-text.ts'

/** As the store writes it. */
function textOf(names: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const lines = names.map(
    (name, column) => `\t${JSON.stringify(name)}: ${JSON.stringify(rows.map((row) => row[column]))}`,
  )
  return `{\n${lines.join(',\n')}\n}\n`
}

describe('the rows of an answer', () => {
  it('are objects in order, with every value as the store said it', async () => {
    const rows = [
      ['a', 1, null, [1, 2], { b: 'c' }],
      ['line\nbreak, "quotes", \u2028 and ]},', -0.5, true, [], {}],
    ]
    expect(await rowsOf(textOf(['text', 'number', 'maybe', 'list', 'map'], rows))).toEqual([
      { text: 'a', number: 1, maybe: null, list: [1, 2], map: { b: 'c' } },
      { text: 'line\nbreak, "quotes", \u2028 and ]},', number: -0.5, maybe: true, list: [], map: {} },
    ])
  })

  it('are none without rows, and without an answer', async () => {
    expect(await rowsOf(textOf(['a', 'b'], []))).toEqual([])
    expect(await rowsOf('')).toEqual([])
  })

  it('are all there, however many, and other work of the process comes in between', async () => {
    const rows = Array.from({ length: 40_000 }, (_, at): [number, string] => [at, 'x'.repeat(at % 100)])
    const text = textOf(['n', 'text'], rows)
    let others = 0
    let done = false
    const other = (async () => {
      while (!done) {
        await new Promise((resolve) => setImmediate(resolve))
        others++
      }
    })()
    const read = await rowsOf<{ n: number; text: string }>(text)
    done = true
    await other
    expect(read.map(({ n, text }) => [n, text])).toEqual(rows)
    expect(others).toBeGreaterThan(5)
  })

  it.each([
    '{\n\t"a": [1, 2',
    '{\n\t"a": [1, 2],\n',
    '{\n\t"a": [1, 2]\n}\nCode: 241. DB::Exception: Memory limit\n',
    '{\n\t"a": [1Code: 241. DB::Exception: Memory limit\n',
    'Code: 241. DB::Exception: Memory limit\n',
  ])('of an answer that broke off are refused: %j', async (text) => {
    await expect(rowsOf(text)).rejects.toThrow(SyntaxError)
  })
})
