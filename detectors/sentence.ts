import { inertText } from '../core/text.ts'

/** A name that others chose, as it may stand in a sentence: visible throughout and at most 80 characters. */
export const inline = (name: string): string => inertText(name, 80)

/** `a, b and 3 more`. */
export function listed(names: readonly string[], most = 3): string {
  const shown = names.slice(0, most).map(inline)
  const rest = names.length - shown.length
  if (rest > 0) return `${shown.join(', ')} and ${rest} more`
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`
}
