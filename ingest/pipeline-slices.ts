import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Pipeline } from './pipeline.ts'
import type { Batch, RawRecord } from './record.ts'

/** So few records, and about so many bytes, that nothing else waits long: some 10 ms of work. */
export const SLICE = { records: 500, bytes: 1024 * 1024 } as const

/** How many records from `first` on are one slice: at least one. */
export function sliceLength(records: readonly Pick<RawRecord, 'value'>[], first: number): number {
  let bytes = 0
  let length = 0
  while (first + length < records.length && length < SLICE.records && bytes < SLICE.bytes) {
    bytes += records[first + length]?.value.length ?? 0
    length++
  }
  return length
}

/** Runs a piece of work when its turn comes. */
export type Turn = <Result>(work: () => Result) => Promise<Result>

const oneATurn: Turn = async (work) => {
  await nextTurn()
  return work()
}

/** The pipeline over any number of records, a slice a turn, so that other work gets its turn in between. */
export async function processInSlices(
  pipeline: Pipeline,
  records: readonly RawRecord[],
  turn: Turn = oneATurn,
): Promise<Batch> {
  const batches: Batch[] = []
  for (let at = 0; at < records.length; ) {
    const slice = records.slice(at, at + sliceLength(records, at))
    batches.push(await turn(() => pipeline(slice)))
    at += slice.length
  }
  const [only] = batches
  return batches.length === 1 && only ? only : joinBatches(batches)
}

/** Several batches as one. */
export function joinBatches(batches: readonly Batch[]): Batch {
  const definitions = batches.flatMap((batch) => batch.definitions ?? [])
  return {
    events: batches.flatMap(({ events }) => events),
    parts: batches.flatMap(({ parts }) => parts),
    deadLetters: batches.flatMap(({ deadLetters }) => deadLetters),
    ...(definitions.length === 0 ? {} : { definitions }),
  }
}
