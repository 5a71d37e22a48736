import { openDetectLane } from './detect-lane.ts'
import { openKafkaLane } from './kafka-lane.ts'
import type { FaultResult, Lane } from './lane.ts'
import { seededRandom, shuffledCycles } from './random.ts'
import { openSegmentLane } from './segment-lane.ts'
import { CLEAN, isClean, type Verdict } from './verdict.ts'

export interface SuiteOptions {
  readonly seed: number
  readonly faults: number
  /** No fault is begun after this long. */
  readonly budgetMs: number
  readonly brokers: number
  /** Whether faults that take minutes are among them. */
  readonly slow: boolean
  /** Only kinds whose name, which begins with that of the lane, contains this; with `|` between several. */
  readonly only?: string
  readonly onProgress: (line: string) => void
}

export interface SuiteReport {
  readonly results: readonly FaultResult[]
  readonly skipped: readonly string[]
  /** Why the suite could not go on; empty is right. */
  readonly broken: readonly string[]
  readonly totals: Verdict
}

// How the faults are shared out: most of what can go wrong goes wrong between Kafka and the store.
const KAFKA_SHARE = 0.55
const EMBEDDED_SHARE = 0.1
const DETECT_SHARE = 0.15
const BROKEN_ENOUGH = 4

/** Injects the faults that follow from the seed, in three lanes side by side, and judges after each. */
export async function runFaults(options: SuiteOptions): Promise<SuiteReport> {
  const { seed, faults, budgetMs, onProgress } = options
  const deadline = performance.now() + budgetMs
  const results: FaultResult[] = []
  const skipped: string[] = []
  const broken: string[] = []

  const ride = async (open: (random: () => number) => Promise<Lane>, count: number, salt: number) => {
    if (count === 0) return
    const random = seededRandom(seed * 31 + salt)
    const lane = await open(random)
    skipped.push(...lane.skipped)
    const kinds = lane.kinds.filter((kind) =>
      wantedOf(options).some((text) => `${lane.name}: ${kind}`.includes(text)),
    )
    if (kinds.length === 0) broken.push(`${lane.name}: no fault is called ${options.only}`)
    try {
      for (const kind of shuffledCycles(kinds, count, random)) {
        if (performance.now() > deadline) break
        const result = await lane.inject(kind).catch((error: unknown) => {
          broken.push(`${lane.name}: ${error instanceof Error ? error.message : error}`)
          onProgress(`BROKEN ${broken.at(-1)}`)
        })
        if (result === undefined) {
          if (broken.length < BROKEN_ENOUGH) continue
          break
        }
        results.push(result)
        const { verdict, recoveryMs } = result
        const word = isClean(verdict) ? 'ok' : JSON.stringify(verdict)
        onProgress(
          `${results.length}/${faults} ${lane.name}: ${kind}: ${(recoveryMs / 1000).toFixed(1)} s, ${word}`,
        )
        // What is wrong once stays wrong: further verdicts would count it again.
        if (!isClean(verdict)) break
      }
    } finally {
      await lane.close()
    }
  }

  const shares = sharesOf(options)
  await Promise.all([
    ride(
      (random) => openKafkaLane({ brokers: options.brokers, slow: options.slow, random }),
      shares.kafka,
      1,
    ),
    (async () => {
      await ride((random) => openSegmentLane({ store: 'server', random }), shares.http, 2)
      await ride((random) => openSegmentLane({ store: 'embedded', random }), shares.embedded, 3)
    })(),
    ride((random) => openDetectLane({ random, onProgress }), shares.detect, 4),
  ])
  return { results, skipped, broken, totals: sum(results.map(({ verdict }) => verdict)) }
}

const wantedOf = ({ only = '' }: Pick<SuiteOptions, 'only'>): readonly string[] => only.split('|')

/** How many faults each lane gets; all of them when only kinds of one lane are wanted. */
function sharesOf({ faults, only = '' }: Pick<SuiteOptions, 'faults' | 'only'>) {
  const none = { kafka: 0, http: 0, embedded: 0, detect: 0 }
  const alone = (Object.keys(none) as (keyof typeof none)[]).find((lane) =>
    wantedOf({ only }).every((text) => text.startsWith(`${lane}:`)),
  )
  if (alone !== undefined) return { ...none, [alone]: faults }
  const embedded = Math.round(faults * EMBEDDED_SHARE)
  const kafka = Math.round(faults * KAFKA_SHARE)
  const detect = Math.round(faults * DETECT_SHARE)
  return { kafka, embedded, detect, http: faults - kafka - embedded - detect }
}

export const sum = (verdicts: readonly Verdict[]): Verdict =>
  verdicts.reduce(
    (total, verdict) => ({
      lost: total.lost + verdict.lost,
      duplicates: total.duplicates + verdict.duplicates,
      rollupMismatches: total.rollupMismatches + verdict.rollupMismatches,
      unaccounted: total.unaccounted + verdict.unaccounted,
      wrongFindings: total.wrongFindings + verdict.wrongFindings,
    }),
    CLEAN,
  )
