import { type Document, isAlias, isMap, isScalar, isSeq, type Node } from 'yaml'

/**
 * Where in the text of a YAML document an entry stands: the beginning of its key, not of its value, for a group begins on
 * the line after its key. What is missing has the place of what it is missing in.
 * @param keys names and indices from the root
 * @returns offset in characters
 */
export function offsetInYaml(document: Document, keys: readonly (string | number)[]): number {
  let node: unknown = document.contents
  let offset = (node as Node | null)?.range?.[0] ?? 0
  for (const key of keys) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find(({ key: name }) => isScalar(name) && String(name.value) === String(key))
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
