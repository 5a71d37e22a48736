import { mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Makes a folder and those above it, each readable by the owner only. Not `mkdir` with `recursive`: in a place where a
 * folder is there and none can be made, such as `/proc`, Node tries for ever.
 * @throws the error of the file system
 */
export function makeFolder(path: string): void {
  const missing: string[] = []
  let folder = resolve(path)
  while (statSync(folder, { throwIfNoEntry: false }) === undefined) {
    missing.push(folder)
    folder = dirname(folder)
  }
  for (const each of missing.reverse()) {
    try {
      mkdirSync(each, { mode: 0o700 })
    } catch (error) {
      // Another process of the deployment starts at the same time.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
  if (!statSync(resolve(path)).isDirectory()) throw new Error(`${path} is not a folder`)
}
