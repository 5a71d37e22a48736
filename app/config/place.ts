import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter, type Node } from 'yaml'

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
  return (field) => ({ field, at: `${file}:${lines.linePos(offsetOf(document, field.split('.'))).line}` })
}

// The beginning of the key, not of its value: a group begins on the line after its key.
function offsetOf(document: Document, keys: readonly string[]): number {
  let node: unknown = document.contents
  let offset = (node as Node | null)?.range?.[0] ?? 0
  for (const key of keys) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find(({ key: name }) => isScalar(name) && String(name.value) === key)
      if (!isScalar(pair?.key)) break
      offset = pair.key.range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(key)]
      offset = (node as Node | undefined)?.range?.[0] ?? offset
    } else break
  }
  return offset
}
