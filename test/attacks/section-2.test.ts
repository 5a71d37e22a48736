import { afterAll, expect, it } from 'vitest'
import { createAttackContext } from './attack.ts'
import { loadAttacks } from './attacks.ts'

const context = createAttackContext()
afterAll(() => context.stop())

it.each(await loadAttacks(2))('does not succeed: $name', async (attack) => {
  const { succeeded, detail } = await attack.run(context)
  expect(succeeded, detail).toBe(false)
})
