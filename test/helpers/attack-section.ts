import { afterAll, afterEach, expect, it } from 'vitest'
import { createAttackContext } from '../attacks/attack.ts'
import { loadAttacks } from '../attacks/attacks.ts'

/** Declares the tests of a section: none of its attacks may succeed. */
export async function testSection(section: number): Promise<void> {
  const context = createAttackContext()
  afterEach(() => context.stopFresh())
  afterAll(() => context.stop())

  const attacks = await loadAttacks(section)

  it('has attacks, each of a kind of its own', () => {
    expect(attacks.length).toBeGreaterThan(0)
    expect(new Set(attacks.map(({ kind }) => kind)).size).toBe(attacks.length)
  })

  it.each(attacks)('$kind: $name', async (attack) => {
    const { succeeded, detail } = await attack.run(context)
    expect(succeeded, detail).toBe(false)
  })
}
