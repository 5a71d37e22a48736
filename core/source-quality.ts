import type { Timestamp } from './audit-event.ts'

/** What came from one source in one format, and what of it says too little. */
export interface SourceQuality {
  readonly source: string
  readonly sourceFormat: string
  readonly calls: number
  /** Calls that do not say of what: `tools/call` without a tool, … */
  readonly incomplete: number
  /** Calls without a time of their own. */
  readonly withoutTime: number
  /** Calls that something had wrapped. */
  readonly unwrapped: number
  /** Parts of calls for which no call came. */
  readonly partsWithoutCall: number
  readonly deadLetters: number
  /** Of the dead letters, those that report something other than a call. */
  readonly notCalls: number
  readonly lastRecordedAt?: Timestamp
}
