import type { Clock } from '../core/clock.ts'

/** One access: who did what from where, and whether it was allowed. No contents, no secrets. */
export interface AccessEntry {
  readonly atMs: number
  /** Of the caller; absent where nobody knows who it was. */
  readonly tenant?: string
  readonly subject?: string
  readonly by?: string
  /** Address of the caller: the peer, or what a trusted proxy said. */
  readonly address: string
  /** `read`, `change`, `sign-in`, `sign-out` or `make-credential`. */
  readonly action: AccessAction
  /** `GET /v1/events`: the route’s pattern. */
  readonly call: string
  /** Parameters of the address; never of the body. */
  readonly parameters: Readonly<Record<string, unknown>>
  readonly allowed: boolean
  /** Why it was not, from a closed list. */
  readonly reason?: string
}

export type AccessAction = 'read' | 'change' | 'sign-in' | 'sign-out' | 'make-credential'

/** Keeps accesses. @throws Error when it cannot be kept now; resolves when it survives a power cut */
export type KeepAccess = (entry: AccessEntry) => Promise<void>

export interface AccessLogOptions {
  readonly keep: KeepAccess
  readonly clock: Clock
  /** No record, no answer: whoever asks waits for the record, and is refused without it. */
  readonly required: boolean
  readonly onFailure: (error: unknown) => void
}

export interface AccessLog {
  readonly required: boolean
  /** @throws Error, where records are required and this one cannot be kept */
  note(entry: Omit<AccessEntry, 'atMs'>): Promise<void>
}

// A page asks the same every few seconds: one record a minute says that it was read.
const SAME_MS = 60_000
const MAX_REMEMBERED = 10_000
// Refusals of callers whom nobody knows, a minute: beyond, one record says that there are more. Nobody fills the store so.
const MAX_UNKNOWN = 600

/** Notes accesses once: the same read or refusal again within a minute is none. A change is always one. */
export function createAccessLog({ keep, clock, required, onFailure }: AccessLogOptions): AccessLog {
  const noted = new Map<string, number>()
  let minute = 0
  let unknown = 0

  // Whether this one is to be kept, as it is or as "there are more".
  const kept = (entry: Omit<AccessEntry, 'atMs'>): Omit<AccessEntry, 'atMs'> | undefined => {
    const nowMs = clock.now()
    const isRefusal = !entry.allowed && entry.subject === undefined
    if (isRefusal) {
      const current = Math.floor(nowMs / SAME_MS)
      if (current !== minute) [minute, unknown] = [current, 0]
      unknown++
      if (unknown === MAX_UNKNOWN)
        return { ...entry, parameters: {}, address: 'many', reason: 'more_refusals_this_minute' }
      if (unknown > MAX_UNKNOWN) return undefined
    }
    if (entry.allowed && entry.action !== 'read') return entry
    const key = keyOf(isRefusal ? { ...entry, parameters: {} } : entry)
    const before = noted.get(key)
    if (before !== undefined && nowMs - before < SAME_MS) return undefined
    noted.delete(key)
    noted.set(key, nowMs)
    for (const oldest of noted.keys()) {
      if (noted.size <= MAX_REMEMBERED) break
      noted.delete(oldest)
    }
    return entry
  }

  return {
    required,
    note: async (given) => {
      const entry = kept(given)
      if (entry === undefined) return
      const done = keep({ atMs: clock.now(), ...entry })
      if (required) {
        try {
          await done
        } catch (error) {
          // Not known as noted: the next try has to be.
          noted.delete(keyOf(given))
          onFailure(error)
          throw error
        }
      } else done.catch(onFailure)
    },
  }
}

const keyOf = ({
  tenant,
  subject,
  by,
  address,
  call,
  parameters,
  allowed,
  reason,
}: Omit<AccessEntry, 'atMs'>) =>
  JSON.stringify([tenant, subject, by, address, call, parameters, allowed, reason])
