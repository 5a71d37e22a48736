import { lstat, readdir, realpath } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import type { FileFacts } from './file-identity.ts'
import { folderOf, isPattern } from './file-rotation.ts'

/** What is at a place that is followed: a file that may be read, a file that must not be (and why), or no file. */
export type Looked =
  | { readonly facts: FileFacts; readonly refusal?: undefined }
  | { readonly facts?: undefined; readonly refusal: string }
  | { readonly facts?: undefined; readonly refusal?: undefined }

/**
 * Who may write into a folder that is followed may put links there. What is read becomes events that others see, so a link
 * must not lead out of the folder, and nothing leads to gatewatch's own files.
 */
export interface FileLinks {
  look(path: string, followed: FollowedPlace): Promise<Looked>
}

export interface FollowedPlace {
  /** File, folder or pattern. */
  readonly path: string
  /** Folders beside its own that links in it may lead into. */
  readonly linksTo?: readonly string[]
}

/** @param own folders that are never read: the data folder and that of the credentials */
export function createFileLinks(own: readonly string[]): FileLinks {
  return {
    async look(path, followed) {
      const place = await realpath(path).catch(() => undefined)
      if (place === undefined) return {}
      // Asked of the place that the link leads to, which is no link itself.
      const info = await lstat(place).catch(() => undefined)
      if (info === undefined || !info.isFile()) return {}
      if (await isIn(place, own)) return { refusal: 'it is in a folder of gatewatch itself' }
      const isLink = place !== join(await realpath(dirname(path)).catch(() => dirname(path)), nameOf(path))
      const home = await homeOf(followed.path)
      if ((isLink || !isUnder(place, home)) && !(await isIn(place, [home, ...(followed.linksTo ?? [])])))
        return { refusal: `it is a link to ${place}, out of the folder that is followed` }
      // A second name of a file is no link that could be seen.
      if (info.nlink > 1 && (await isNameOfOwn(info, own)))
        return { refusal: 'it is another name of a file of gatewatch itself' }
      return {
        facts: {
          ...{ path, dev: info.dev, ino: info.ino, size: info.size },
          modifiedMs: Math.floor(info.mtimeMs),
        },
      }
    },
  }
}

const nameOf = (path: string): string =>
  resolve(path)
    .slice(dirname(resolve(path)).length)
    .replace(/^[/\\]/, '')

/** The folder in which the files of a followed path are. */
async function homeOf(path: string): Promise<string> {
  const given = resolve(path)
  if (isPattern(path)) return realpath(folderOf(path)).catch(() => folderOf(path))
  const info = await lstat(given).catch(() => undefined)
  const real = await realpath(given).catch(() => given)
  // The folder itself may be a link: whoever named it meant what it leads to.
  if (info?.isDirectory() || (await isFolder(real))) return real
  return realpath(dirname(given)).catch(() => dirname(given))
}

const isFolder = async (path: string): Promise<boolean> =>
  (await lstat(path).catch(() => undefined))?.isDirectory() ?? false

const isUnder = (path: string, folder: string): boolean =>
  path.startsWith(folder.endsWith(sep) ? folder : folder + sep)

async function isIn(place: string, folders: readonly string[]): Promise<boolean> {
  for (const folder of folders) {
    const real = await realpath(folder).catch(() => resolve(folder))
    if (isUnder(place, real)) return true
  }
  return false
}

async function isNameOfOwn(
  { dev, ino }: { readonly dev: number; readonly ino: number },
  own: readonly string[],
): Promise<boolean> {
  for (const folder of own)
    for (const name of await readdir(folder).catch(() => [])) {
      const info = await lstat(join(folder, name)).catch(() => undefined)
      if (info?.isFile() && info.dev === dev && info.ino === ino) return true
    }
  return false
}
