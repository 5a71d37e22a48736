// Longer ones were cut, and end in a digest of the whole.
const MAX_PARSED = 65_536

/** Arguments as text by which two spellings of the same ones are equal: keys in order, JSON inside of JSON text as it is. */
export function canonicalArguments(text: string | undefined): string | undefined {
  if (text === undefined || text === '' || text === '{}' || text.length > MAX_PARSED) return text || undefined
  try {
    return JSON.stringify(sorted(JSON.parse(text)))
  } catch {
    return text
  }
}

function sorted(value: unknown): unknown {
  if (typeof value === 'string' && /^[{[]/.test(value)) {
    try {
      return sorted(JSON.parse(value))
    } catch {
      return value
    }
  }
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, inner]) => [key, sorted(inner)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}
