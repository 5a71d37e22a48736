import { messageOf } from '../../core/errors.ts'
import { joinBatches } from '../pipeline-slices.ts'
import type { Batch, RawRecord } from '../record.ts'

export interface CarefulOptions {
  readonly process: (records: readonly RawRecord[]) => Batch
  /** An encoder to try records in. */
  readonly createEncoder: () => { add(batch: Batch): void; finish(): unknown }
}

interface Tried {
  readonly record: RawRecord
  readonly batch: Batch
}

/**
 * The batch of the records, in which each that the encoder cannot take is a dead letter. For records among which the
 * encoder has failed: each is tried in an encoder that is thrown away, in halves, so that a few bad ones cost little.
 */
export function carefulBatch(records: readonly RawRecord[], options: CarefulOptions): Batch {
  const settle = (tried: readonly Tried[]): Batch[] => {
    const fault = faultOf(tried, options)
    if (fault === undefined) return tried.map(({ batch }) => batch)
    const [only] = tried
    if (only === undefined || tried.length === 1)
      return tried.map(({ record }) => letterFor(record, fault, options))
    const middle = tried.length >>> 1
    return [...settle(tried.slice(0, middle)), ...settle(tried.slice(middle))]
  }
  return joinBatches(settle(records.map((record) => ({ record, batch: options.process([record]) }))))
}

function faultOf(tried: readonly Tried[], { createEncoder }: CarefulOptions): string | undefined {
  try {
    const encoder = createEncoder()
    encoder.add(joinBatches(tried.map(({ batch }) => batch)))
    encoder.finish()
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

function letterFor(record: RawRecord, fault: string, options: CarefulOptions): Batch {
  const message = `The record could not be encoded for the store: ${fault}`
  const refused = { ...record, refused: { reason: 'internal', message } } as const
  const letter = { record, batch: options.process([refused]) }
  if (faultOf([letter], options) === undefined) return letter.batch
  // Then it is its own bytes that cannot be kept. Its coordinates can.
  return options.process([{ ...refused, value: NO_BYTES, headers: {}, fullBytes: record.value.length }])
}

const NO_BYTES = new Uint8Array(0)
