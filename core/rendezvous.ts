import { stableId } from './hash.ts'

/**
 * Which member each item belongs to: highest random weight (Thaler and Ravishankar, 1998), with no member above its
 * even share, rounded up. Everyone who knows the same members gives the same answer, in whatever order, and when a
 * member comes or goes most items stay where they are.
 * @returns item → member; empty when there are no members
 */
export function assign(items: readonly string[], members: readonly string[]): Map<string, string> {
  const unique = [...new Set(members)]
  const room = new Map(unique.map((member) => [member, Math.ceil(items.length / unique.length)]))
  const pairs = items.flatMap((item) =>
    unique.map((member) => ({ item, member, weight: stableId(item, member) })),
  )
  pairs.sort((a, b) => (a.weight < b.weight ? 1 : -1))
  const assigned = new Map<string, string>()
  for (const { item, member } of pairs) {
    const left = room.get(member) ?? 0
    if (left === 0 || assigned.has(item)) continue
    assigned.set(item, member)
    room.set(member, left - 1)
  }
  return assigned
}
