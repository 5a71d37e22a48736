import { open, readdir, stat } from 'node:fs/promises'
import { messageOf } from '../../core/errors.ts'
import { inertText } from '../../core/text.ts'
import { factsOf } from '../../ingest/sources/file-identity.ts'
import { pathsOf } from '../../ingest/sources/file-rotation.ts'
import type { SettingPlace } from '../config/place.ts'

/**
 * Whether there is anything to read at a followed path. Nothing there is a warning, not a fault: the file may be made
 * later, and is then read from its beginning. So is a file that cannot be opened; the others are read.
 */
export async function checkFollowed(
  path: string,
  place: SettingPlace,
): Promise<string | { readonly warning: string }> {
  const warn = (text: string) => ({
    warning: `${place.at === undefined ? '' : `${place.at}: `}${place.field}: ${text}`,
  })
  const folderFault = await faultOfFolder(path)
  if (folderFault !== undefined) return warn(`The folder cannot be read: ${folderFault}.`)
  const found = await pathsOf(path)
  const files = (await Promise.all(found.map(factsOf))).filter((facts) => facts !== undefined)
  const faults = await Promise.all(files.map((file) => faultOf(file.path)))
  const at = faults.findIndex((fault) => fault !== undefined)
  if (at !== -1) {
    const others = faults.filter((fault) => fault !== undefined).length - 1
    return warn(
      `${inertText(files[at]?.path ?? '')} cannot be read: ${faults[at]}${others > 0 ? `, nor can ${others} more` : ''}. Give this user the right to read it.`,
    )
  }
  if (files.length > 0) return files.length === 1 ? '1 file' : `${files.length} files`
  const only = found.length === 1 && found[0] !== undefined ? await faultOfPath(found[0]) : undefined
  return warn(
    only === undefined
      ? 'No file is there. Check the path; a file that is made later is read from its beginning.'
      : `Nothing can be read there: ${only}.`,
  )
}

/** What stops a folder from being listed; a path that is no folder, or not there, has nothing to be listed. */
async function faultOfFolder(path: string): Promise<string | undefined> {
  const info = await stat(path).catch(() => undefined)
  if (!info?.isDirectory()) return undefined
  return readdir(path).then(
    () => undefined,
    (error: unknown) => messageOf(error),
  )
}

/** Why there is no file at a path, where that is not simply that nobody made one. */
async function faultOfPath(path: string): Promise<string | undefined> {
  try {
    return (await stat(path)).isFile() ? undefined : 'it is neither a file nor a folder'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : messageOf(error)
  }
}

async function faultOf(path: string): Promise<string | undefined> {
  try {
    const handle = await open(path, 'r')
    await handle.close()
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}
