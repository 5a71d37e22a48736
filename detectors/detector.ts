import type { Finding, Severity } from '../core/finding.ts'
import type { BaselineLimits, Overflow } from './cardinality.ts'
import type { Fields } from './fields.ts'
import type { Steps } from './steps.ts'

/**
 * What a kind of detector is. The store is the state; a detector is a question asked of it, in units of one tenant
 * and one UTC day, so that every answer is a function of the stored events and of nothing else:
 *
 * - the **profile** (baseline) is a fold over all days before the unit's day, never after it;
 * - the **candidates** are what the day itself holds, read whole from the store;
 * - **judge** is pure and turns both into drafts of findings.
 *
 * Live ticks, backtests and rule drafts all go through these; `engine.ts` decides only which units are asked again.
 */

/** A read-only question to the store; the shape of `Database.query`. */
export type Query = <Row>(sql: string, params?: SqlParams) => Promise<Row[]>

export type SqlParams = Readonly<
  Record<string, string | number | boolean | readonly string[] | readonly number[]>
>

/** A condition over columns of `events`, with the values bound to its parameters. */
export interface SqlCondition {
  readonly sql: string
  readonly params: SqlParams
}

/** What arrivals are counted by; each is a kind of key that detectors judge as one. */
export type Dimension = 'actor' | 'tool' | 'chain'

/** One row of `touched`: what an insert touched, with the hour of event time that starts at `bucketMs`. */
export interface Touched {
  readonly tenant: string
  readonly dimension: Dimension
  readonly bucketMs: number
  /** Of a tool; else empty. */
  readonly server: string
  /** The actor, the tool or the chain. */
  readonly key: string
}

/** What is judged at once: a tenant's UTC day (days since 1970-01-01), all of it or only some keys. */
export interface Unit {
  readonly tenant: string
  readonly day: number
  /** Absent: everything of the day. */
  readonly keys?: ReadonlySet<string>
}

/** Consecutive days whose candidates are read with one question; with keys it is a single day. */
export interface Span {
  readonly tenant: string
  readonly fromDay: number
  /** Exclusive. */
  readonly toDay: number
  readonly keys?: ReadonlySet<string>
}

/** What a kind asks the store, and with what restriction. */
export interface Source {
  readonly query: Query
  /** The rule's `where`; absent: all events, and the rollups may be used. */
  readonly where?: SqlCondition
  /** What of a crowded day a baseline reads; absent: all of it. */
  readonly crowd?: Crowd
}

/** A day on which there is more than a baseline holds: a part of it that is bounded, and does not depend on arrival. */
export interface Crowd {
  /** A condition on `actor`; absent: all of them. */
  readonly actors?: SqlCondition
  /** Rows of each actor. */
  readonly rowsPerActor: number
}

/** The events behind a draft: told by the judge, or to be looked up by these bounds. */
export type Evidence =
  | {
      readonly events: readonly { readonly id: string; readonly atMs: number; readonly imported?: boolean }[]
    }
  | {
      readonly startMs: number
      readonly endMs: number
      readonly actors: readonly string[]
      readonly server?: string
      readonly tool?: string
      /** SQL over a row of `events`, of the kind’s own making, and the text that it must give. */
      readonly matching?: { readonly expression: string; readonly value: string }
    }

/** A finding before it has its identity and its events. */
export interface Draft {
  /** What was judged as one, within the unit's day; one of the kind's keys. */
  readonly key: string
  /** Tells findings with the same key and window apart. */
  readonly signature: string
  readonly severity: Severity
  readonly score: number
  readonly entity: Finding['entity']
  readonly actor: string
  readonly window: { readonly startMs: number; readonly endMs: number }
  readonly title: string
  /** The four that every finding has, and the kind’s own numbers; nothing that depends on when it was asked. */
  readonly explanation: Finding['explanation'] & Readonly<Record<string, unknown>>
  readonly evidence: Evidence
}

/** A profile as text and back: `decode(encode(profile))` judges and absorbs exactly as `profile` does. */
export interface ProfileCodec<Profile> {
  /** Raised when the meaning of a profile or its text changes: texts of another version are left alone. */
  readonly version: number
  encode(profile: Profile): Steps<string>
  decode(text: string): Profile
}

/** A kind with a rule's parameters filled in. `Profile` is immutable: `absorb` returns a new one. */
export interface Question<Profile, DayRow, Candidate, Wanted = unknown> {
  /** The key that a touched row belongs to, undefined for a dimension that does not matter; a finding's key is one of them. */
  keyOf(touched: Touched): string | undefined
  /** UTC days whose candidates may contain events of the hour that starts at `bucketMs`. */
  daysOf(bucketMs: number): readonly number[]
  /** Questions with the same key (and the same `where`) have the same profile; it is then made once. */
  readonly profileKey: string
  /** What bounds the profile. */
  readonly limits: BaselineLimits
  /** What is beyond the limits of a profile. */
  overflow(profile: Profile): readonly Overflow[]
  emptyProfile(): Profile
  /**
   * Rows that the profile learns from, of the days `fromDay` to `toDay` (exclusive); in a fixed order, unless what `absorb`
   * learns does not depend on it.
   */
  history(
    source: Source,
    tenant: string,
    fromDay: number,
    toDay: number,
  ): Promise<ReadonlyMap<number, readonly DayRow[]>>
  /** The profile after a day. Called in order of day, and only for days with rows: a day without calls costs nothing. */
  absorb(profile: Profile, day: number, rows: readonly DayRow[]): Steps<Profile>
  /** How the store keeps a profile. */
  readonly codec: ProfileCodec<Profile>
  /** What of a day this question is about, for kinds whose candidates depend on it; else undefined. */
  readonly wanted: Wanted
  /**
   * What each day holds, the same whichever other days are asked for with it; days without anything may be absent.
   * Rules of one kind with the same `where` are read together, so there may be more than this question wants: it is
   * asked with the wants of all of them, and `judge` leaves out what is not its own.
   */
  candidates(
    source: Source,
    span: Span,
    wanted: readonly Wanted[],
  ): Promise<ReadonlyMap<number, readonly Candidate[]>>
  /** Pure: no clock, no I/O. `profile` is that of the start of `unit.day`. */
  judge(profile: Profile, unit: Unit, candidates: readonly Candidate[]): Steps<readonly Draft[]>
}

/** A kind of detector. `prepare` reads a rule's `params`, reporting what is wrong through `fields`; `limits` bound its baseline. */
export interface Detector {
  readonly kind: string
  /** The question in one sentence, for people: `did this actor …?` */
  readonly asks: string
  prepare(fields: Fields, limits: BaselineLimits): Question<unknown, unknown, unknown>
}
