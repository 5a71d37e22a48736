import type { Document, LineCounter } from 'yaml'
import { offsetInYaml } from '../../core/yaml-place.ts'

/** Where a setting stands: its dotted name (`receivers.0.url`) and, when a file says it, `gatewatch.yaml:12`. */
export interface SettingPlace {
  readonly field: string
  readonly at?: string
}

/** Finds the place of a setting; one that is missing has the place of the group it is missing in. */
export type PlaceOf = (field: string) => SettingPlace

/** For settings that no file holds: they have a name only. */
export const nowhere: PlaceOf = (field) => ({ field })

/** @param file name of the file, for people */
export function placesIn(document: Document, lines: LineCounter, file: string): PlaceOf {
  return (field) => ({ field, at: `${file}:${lines.linePos(offsetInYaml(document, field.split('.'))).line}` })
}
