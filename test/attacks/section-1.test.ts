import { afterAll, expect, it } from 'vitest'
import { createAttackContext } from './attack.ts'
import { loadAttacks } from './attacks.ts'

const context = createAttackContext()
afterAll(() => context.stop())

const attacks = await loadAttacks(1)

it('has attacks, each of a kind of its own', () => {
  expect(attacks.length).toBeGreaterThan(0)
  expect(new Set(attacks.map(({ kind }) => kind)).size).toBe(attacks.length)
})

it.each(attacks)('$kind: $name', async (attack) => {
  const { succeeded, detail } = await attack.run(context)
  expect(succeeded, detail).toBe(false)
})
