import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { createUnwrapBudget } from '../../../ingest/unwrap-budget.ts'

const base64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString('base64')
const packed = (text: string) => base64(gzipSync(text))
const budgetOf = (maxRecordBytes: number) => createUnwrapBudget({ maxEntries: 10, maxRecordBytes })
/** Unpacks to about twice its bytes. */
const dense = (characters: number) => randomBytes(characters / 2).toString('hex')

describe('unpacking', () => {
  it('gives the text, packed by gzip or not', () => {
    const text = dense(1000)
    expect(budgetOf(1000).unpack(packed(text))).toBe(text)
    expect(budgetOf(1000).unpack(base64(text))).toBe(text)
  })

  it('gives back what only begins as gzip does', () => {
    const broken = base64(Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3]))
    expect(budgetOf(1000).unpack(broken)).toBe(broken)
  })

  it('does not unpack more than is left of the record, over all its texts', () => {
    const budget = budgetOf(1000)
    const text = dense(3000)
    expect(budget.unpack(packed(text))).toBe(text)
    expect(budget.takeCharacters(text.length)).toBe(true)
    expect(budget.unpack(packed(text))).toBeUndefined()
    expect(budget.unpack(packed(dense(900)))).toHaveLength(900)
    expect(budget.takeCharacters(2000)).toBe(false)
    expect(budget.unpack(packed('x'))).toBeUndefined()
  })

  it('does not unpack what becomes more than 40 times as long', () => {
    expect(budgetOf(2 ** 22).unpack(packed('A'.repeat(2 ** 20)))).toBeUndefined()
    expect(budgetOf(2 ** 22).unpack(packed('A'.repeat(4000)))).toHaveLength(4000)
  })
})

describe('entries', () => {
  it('count over all lists, beyond the first of each', () => {
    const budget = budgetOf(1000)
    expect(budget.takeEntries(5)).toBe(true)
    expect(budget.takeEntries(6)).toBe(true)
    expect(budget.takeEntries(1)).toBe(true)
    expect(budget.takeEntries(2)).toBe(false)
    expect(budget.open()).toBe(false)
  })
})
