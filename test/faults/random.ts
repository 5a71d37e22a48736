/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let word = Math.imul(state ^ (state >>> 15), state | 1)
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32
  }
}

/** `count` items: all of them in a random order, then again in another. */
export function shuffledCycles<T>(items: readonly T[], count: number, random: () => number): T[] {
  const plan: T[] = []
  while (plan.length < count && items.length > 0) {
    const rest = [...items]
    while (rest.length > 0) plan.push(...rest.splice(Math.floor(random() * rest.length), 1))
  }
  return plan.slice(0, count)
}
