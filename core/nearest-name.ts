/**
 * The known name nearest to a mistyped one, without case, or `undefined` when none is near: a third of its characters
 * may be wrong (Levenshtein), or it is part of a known name.
 */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const wanted = name.toLowerCase()
  let best: { name: string; distance: number } | undefined
  for (const each of known) {
    const candidate = each.toLowerCase()
    const distance = candidate.includes(wanted) && wanted.length > 2 ? 1 : editDistance(wanted, candidate)
    if (best === undefined || distance < best.distance) best = { name: each, distance }
  }
  return best !== undefined && best.distance <= Math.max(1, Math.floor(wanted.length / 3))
    ? best.name
    : undefined
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const swap = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(swap, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
