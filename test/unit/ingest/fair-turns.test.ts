import { describe, expect, it } from 'vitest'
import { createFairTurns } from '../../../ingest/fair-turns.ts'

describe('turns', () => {
  it('go to each owner by turns, however much one of them has brought', async () => {
    const turns = createFairTurns()
    const done: string[] = []
    const many = Array.from({ length: 50 }, (_, number) =>
      turns.run('many', () => done.push(`many ${number}`)),
    )
    await Promise.all([...['b', 'c'].map((owner) => turns.run(owner, () => done.push(owner)))])
    expect(done.slice(0, 3)).toEqual(['many 0', 'b', 'c'])
    await Promise.all(many)
    expect(done.filter((each) => each.startsWith('many'))).toEqual(many.map((_, number) => `many ${number}`))
  })

  it('let a request in that comes while slices are worked off', async () => {
    const turns = createFairTurns()
    let done = 0
    const busy = () => {
      const untilMs = performance.now() + 6
      while (performance.now() < untilMs);
      done++
    }
    const many = Array.from({ length: 20 }, () => turns.run('many', busy))
    await many[0]
    const between = done
    await turns.run('other', () => {})
    expect(done - between).toBeLessThanOrEqual(2)
    await Promise.all(many)
  })

  it('settle as their work does, and go on after it failed', async () => {
    const turns = createFairTurns()
    const failed = turns.run('a', () => {
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    await expect(turns.run('a', () => 7)).resolves.toBe(7)
  })
})
