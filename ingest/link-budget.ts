import type { Clock } from '../core/clock.ts'
import { OVER_LIMIT, replaceTokens } from './redact/tokens.ts'

/**
 * How many different hidden values of one source get tokens of their own within an hour. Whoever sends as a source and reads
 * its events can have guesses hidden and compare their tokens with that of a secret: this is how many guesses an hour it
 * has. What comes beyond shares one token. The record stays, and so do its fingerprints, which detection compares.
 */
export interface LinkBudget {
  /** Changes every text in `fields`, also in lists and objects in it: tokens beyond the budget are the shared one. */
  bound(fields: object, source: string): void
}

export interface LinkBudgetOptions {
  /** Different values of a source. */
  readonly perHour: number
  readonly clock: Clock
  /** Told of each token that lost its value’s name. */
  readonly onBeyond?: (source: string) => void
}

interface Hours {
  hour: number
  now: Set<string>
  before: ReadonlySet<string>
}

const HOUR_MS = 3_600_000
// More than any site has. The longest unused is forgotten, and begins anew.
const MAX_SOURCES = 10_000

export function createLinkBudget({ perHour, clock, onBeyond }: LinkBudgetOptions): LinkBudget {
  const bySource = new Map<string, Hours>()

  const hoursOf = (source: string): Hours => {
    const hour = Math.floor(clock.now() / HOUR_MS)
    const hours = bySource.get(source) ?? { hour, now: new Set<string>(), before: new Set<string>() }
    if (hours.hour !== hour) {
      hours.before = hour - hours.hour === 1 ? hours.now : new Set()
      hours.now = new Set()
      hours.hour = hour
    }
    bySource.delete(source)
    bySource.set(source, hours)
    for (const oldest of bySource.keys()) {
      if (bySource.size <= MAX_SOURCES) break
      bySource.delete(oldest)
    }
    return hours
  }

  const boundText = (text: string, source: string): string =>
    replaceTokens(text, (token, keyId) => {
      const { now, before } = hoursOf(source)
      if (now.has(token)) return token
      // What the hour before had is no new guess; it is carried on while it is used.
      if (before.has(token) || now.size < perHour) {
        now.add(token)
        return token
      }
      onBeyond?.(source)
      return `hmac:${keyId}:${OVER_LIMIT}`
    })

  const bound = (fields: object, source: string): void => {
    const values = fields as Record<string, unknown>
    for (const name in values) {
      const value = values[name]
      if (typeof value === 'string') {
        if (value.includes('hmac:')) values[name] = boundText(value, source)
      } else if (typeof value === 'object' && value !== null) bound(value, source)
    }
  }
  return { bound }
}
