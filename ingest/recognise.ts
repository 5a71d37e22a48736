import type { Format, Marks, ParsedRecord } from './format.ts'
import { isObject, type JsonObject } from './formats/field-values.ts'
import { valueAt } from './nearest-format.ts'

/** The format that reads a record; `undefined` when none does. */
export type Recognise = (record: ParsedRecord) => Format | undefined

/**
 * Asks every format, and takes the one that most of the record speaks for: a key that happens to be called as another
 * format’s does not make a record that format’s. Of equals the first counts; a format that `decides` is not compared.
 */
export function createRecognise(formats: readonly Format[]): Recognise {
  return (record) => {
    let found: Format | undefined
    let points = -1
    for (const format of formats) {
      if (!format.recognises(record)) continue
      if (found === undefined) {
        if (format.decides) return format
        found = format
        continue
      }
      if (!isObject(record.json)) continue
      if (points < 0) points = pointsOf(found, record.json)
      const others = pointsOf(format, record.json)
      if (others > points) [found, points] = [format, others]
    }
    return found
  }
}

const POINTS_OF_NEED = 2

/** How much of a record speaks for a format that recognises it. */
function pointsOf({ marks, weigh }: Format, json: JsonObject): number {
  const needs = (marks?.needs.length ?? 0) * POINTS_OF_NEED
  return needs + (weigh?.(json) ?? usualIn(marks, json))
}

const usualIn = (marks: Marks | undefined, json: JsonObject): number =>
  (marks?.usual ?? []).filter((key) => valueAt(json, key) !== undefined).length
