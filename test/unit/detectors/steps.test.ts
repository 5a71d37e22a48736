import { describe, expect, it } from 'vitest'
import { completed, inTurns, jsonList, jsonObject, STEP, type Steps } from '../../../detectors/steps.ts'

function* counted(to: number, busyMs: number): Steps<number> {
  let sum = 0
  for (let one = 0; one < to; one++) {
    const untilMs = performance.now() + busyMs
    while (performance.now() < untilMs);
    sum += one
    yield
  }
  return sum
}

describe('a long computation', () => {
  it('has one result, at once or in turns', async () => {
    expect(completed(counted(5, 0))).toBe(10)
    expect(await inTurns(counted(5, 0))).toBe(10)
  })

  it('pauses before each turn, and goes on only then', async () => {
    let pauses = 0
    let others = 0
    const pause = async () => {
      pauses++
      await new Promise((resolve) => setImmediate(resolve))
      others++
    }
    await inTurns(counted(10, 6), { pause })
    expect(pauses).toBe(11)
    expect(others).toBe(11)
  })

  it('lets other work of the process come in between', async () => {
    const seen: string[] = []
    const other = (async () => {
      for (let one = 0; one < 3; one++) {
        await new Promise((resolve) => setImmediate(resolve))
        seen.push('other')
      }
    })()
    await inTurns(counted(20, 6)).then(() => seen.push('done'))
    await other
    expect(seen).toEqual(['other', 'other', 'other', 'done'])
  })
})

describe('a signal', () => {
  it('ends it before its next turn, with its reason', async () => {
    const stop = new AbortController()
    let turns = 0
    const pause = async () => {
      turns++
      if (turns === 3) stop.abort(new Error('stopped'))
    }
    await expect(inTurns(counted(10, 6), { pause, signal: stop.signal })).rejects.toThrow('stopped')
    expect(turns).toBe(3)
  })
})

describe('a text made step by step', () => {
  it.each([0, 1, STEP - 1, STEP, STEP + 1, 3 * STEP])('is that of all %i rows together', (count) => {
    const rows = Array.from({ length: count }, (_, at) => ({ at, name: `"${at}\u2028` }))
    expect(completed(jsonList(rows, (row) => row))).toBe(JSON.stringify(rows))
    expect(completed(jsonList(rows, (row) => row, 1))).toBe(JSON.stringify(rows))
  })

  it('is an object of texts and values', () => {
    expect(jsonObject({ 'a"b': '[1,2]' }, { c: 'd', e: undefined })).toBe('{"a\\"b":[1,2],"c":"d"}')
    expect(jsonObject({ a: '1' }, {})).toBe('{"a":1}')
    expect(jsonObject({}, { b: 2 })).toBe('{"b":2}')
  })
})
