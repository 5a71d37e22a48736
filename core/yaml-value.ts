import type { Document } from 'yaml'

/**
 * The value of a YAML document that has no syntax errors. Aliases are found out only now.
 * @param maxAliasCount how often anchors may be meant, those in anchors multiplied
 * @throws Error when aliases would grow beyond measure, name nothing, or lead back to what they are in
 */
export function valueOfYaml(document: Document, maxAliasCount = 100): unknown {
  const value: unknown = document.toJS({ maxAliasCount })
  refuseCycles(value, new Set())
  return value
}

function refuseCycles(value: unknown, around: Set<unknown>): void {
  if (typeof value !== 'object' || value === null) return
  if (around.has(value)) throw new Error('an alias leads back to what it is in')
  around.add(value)
  for (const each of Object.values(value)) refuseCycles(each, around)
  around.delete(value)
}
