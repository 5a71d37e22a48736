import { appendFileSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Revocations } from '../api/credentials/tokens.ts'
import type { Clock } from '../core/clock.ts'
import { GatewatchError, messageOf } from '../core/errors.ts'

// Lines of the file: `<jti> <end in milliseconds>`. Whatever else is in it is passed over.
const LINE = /^([\w-]{1,64}) (\d{1,16})$/
// A token lives 300 s; more lines than this are many that are over.
const MOST_LINES = 10_000
const MOST_BYTES = 4 * 1024 ** 2

/**
 * Tokens that were taken back, in a file of the credentials' folder, which the roles of one deployment share: what one of
 * them takes back, the others refuse at once. A file that cannot be read counts as empty, one that is too large too.
 */
export function openRevokedTokens(folder: string, clock: Clock): Revocations {
  const path = join(folder, 'revoked-tokens')
  let known = new Map<string, number>()
  let seen = ''
  const refresh = () => {
    const stamp = stampOf(path)
    if (stamp === seen) return
    seen = stamp
    known = stamp === '' ? new Map() : readEnds(path)
  }
  return {
    has: (jti) => {
      refresh()
      return known.has(jti)
    },
    add: (jti, expiresAtMs) => {
      refresh()
      try {
        if (known.size >= MOST_LINES) rewrite(path, known, clock.now())
        appendFileSync(path, `${jti} ${expiresAtMs}\n`, { mode: 0o600 })
      } catch (cause) {
        throw new GatewatchError('internal', `The revocation cannot be kept: ${messageOf(cause)}.`, { cause })
      }
      known.set(jti, expiresAtMs)
    },
  }
}

function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true })
  return stat === undefined ? '' : `${stat.ino}/${stat.size}/${stat.mtimeNs}`
}

function readEnds(path: string): Map<string, number> {
  const ends = new Map<string, number>()
  try {
    if (statSync(path).size > MOST_BYTES) return ends
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      const match = LINE.exec(line)
      if (match?.[1] !== undefined) ends.set(match[1], Number(match[2]))
    }
  } catch {
    // Removed in between: there is nothing to refuse.
  }
  return ends
}

// Whole or not at all: another process reads it at any time.
function rewrite(path: string, ends: Map<string, number>, nowMs: number): void {
  for (const [jti, endMs] of ends) if (endMs < nowMs) ends.delete(jti)
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, [...ends].map(([jti, endMs]) => `${jti} ${endMs}\n`).join(''), { mode: 0o600 })
  renameSync(draft, path)
}
