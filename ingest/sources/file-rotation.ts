import { glob, readdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { checksumOf, type FileFacts, factsOf, headOf, isCompressed } from './file-identity.ts'
import type { FilePosition } from './file-positions.ts'

/** Whether a followed path is a pattern of names. */
export const isPattern = (path: string): boolean => /[*?[{]/.test(path)

/** The folder in which changes show that something happened to a followed path. */
export function folderOf(path: string): string {
  let folder = resolve(path)
  while (isPattern(folder)) folder = dirname(folder)
  return isPattern(path) ? folder : dirname(folder)
}

/** The files that a followed path — file, folder or pattern — means now, in order of name. Hidden files are not. */
export async function pathsOf(path: string): Promise<string[]> {
  if (isPattern(path)) return (await Array.fromAsync(glob(path))).map((found) => resolve(found)).sort()
  const names = await readdir(path).catch(() => undefined)
  if (names === undefined) return [resolve(path)]
  return names
    .filter((name) => !name.startsWith('.'))
    .sort()
    .map((name) => resolve(path, name))
}

/** Whether a file in this place may have been one of those that are followed. */
export const isUnder = (path: string, followed: string): boolean =>
  path === resolve(followed) ||
  path.startsWith(`${isPattern(followed) ? folderOf(followed) : resolve(followed)}/`) ||
  dirname(path) === dirname(resolve(followed))

/**
 * What a file that is seen for the first time has to do with those that are known: it is a mere `copy` of one that is
 * still there; it has the content of one that is gone, whose position is given; or nothing. `unclear` while files
 * change under our eyes.
 */
export async function kinOf(
  facts: FileFacts,
  head: string,
  known: readonly FilePosition[],
): Promise<FilePosition | 'copy' | 'unclear' | undefined> {
  let heir: FilePosition | undefined
  for (const position of known) {
    if (position.head !== head || (position.done && position.offset === 0)) continue
    if (!isCompressed(facts.path) && facts.size < position.offset) continue
    if ((await checksumOf(facts.path, position.offset)) !== position.crc) continue
    const live = await liveFacts(position)
    if (live === undefined) {
      if (heir === undefined || position.offset > heir.offset) heir = position
      continue
    }
    const copy = await isCopy(facts, live)
    if (copy === undefined) return 'unclear'
    if (copy) return 'copy'
  }
  return heir
}

/** What is at the place of a position, if it is still the file that was read. */
async function liveFacts({ path, dev, ino, offset, head }: FilePosition): Promise<FileFacts | undefined> {
  const facts = await factsOf(path)
  if (facts === undefined || facts.dev !== dev || facts.ino !== ino || facts.size < offset) return undefined
  return (await headOf(path)) === head ? facts : undefined
}

/** Whether a file holds nothing but the beginning of another one; `undefined` when that one shrank meanwhile. */
async function isCopy(copy: FileFacts, live: FileFacts): Promise<boolean | undefined> {
  if (isCompressed(copy.path)) return true
  if (copy.size > live.size) return false
  const sums = [await checksumOf(copy.path, copy.size), await checksumOf(live.path, copy.size)]
  return sums.includes(undefined) ? undefined : sums[0] === sums[1]
}

/**
 * Where a file is now that was at `position.path`: the same inode under another name (unless only copies are asked for),
 * else a copy that begins with what was read; the newest where there are several.
 * @param look what is at a place, if it may be read
 */
export async function rotatedOf(
  position: FilePosition,
  look: (path: string) => Promise<FileFacts | undefined>,
  copyOnly = false,
): Promise<FileFacts | undefined> {
  const folder = dirname(position.path)
  const stem = basename(position.path).split('.')[0] ?? ''
  const names = await readdir(folder).catch(() => [])
  const siblings: FileFacts[] = []
  for (const name of names.filter((each) => each.startsWith(stem))) {
    const facts = await look(join(folder, name))
    if (facts === undefined) continue
    if ((await headOf(facts.path).catch(() => undefined)) === position.head) siblings.push(facts)
  }
  const isSelf = ({ dev, ino }: FileFacts) => dev === position.dev && ino === position.ino
  const renamed = siblings.find((facts) => isSelf(facts) && facts.size >= position.offset)
  if (renamed !== undefined && !copyOnly) return renamed
  for (const facts of siblings.toSorted((a, b) => b.modifiedMs - a.modifiedMs)) {
    if (isSelf(facts)) continue
    if ((await checksumOf(facts.path, position.offset).catch(() => undefined)) === position.crc) return facts
  }
  return undefined
}
