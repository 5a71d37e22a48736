import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { loadAttacks } from '../../attacks/attacks.ts'
import { tableOf } from '../../attacks/table.ts'

const read = (path: string) => readFileSync(new URL(`../../../docs/${path}`, import.meta.url), 'utf8')
const attacks = await loadAttacks()

describe('docs/attacks.md', () => {
  it('has the table of all attacks (node test/attacks/write-table.ts makes it)', () => {
    const text = read('attacks.md')
    expect(text.slice(text.indexOf('| section |')).trim()).toBe(tableOf(attacks))
  })
})

describe('the attacks', () => {
  it('are each of a kind of its own', () => {
    const kinds = attacks.map(({ kind }) => kind)
    expect(kinds.filter((kind, at) => kinds.indexOf(kind) !== at)).toEqual([])
  })

  it('have the names that the threat model gives them', () => {
    const named = [...read('threat-model.md').matchAll(/`([a-z]+(?: [a-z-]+)+)`/g)].map(
      ([, name]) => name ?? '',
    )
    const commands = ['gatewatch doctor', 'npm run check:node']
    const known = [...attacks.map(({ kind }) => kind), ...commands]
    expect(named.filter((name) => !known.includes(name))).toEqual([])
    expect(named.length).toBeGreaterThan(5)
  })
})
