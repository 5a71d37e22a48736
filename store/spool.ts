import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Files in which blocks wait for the engine to read them. */
export interface Spool {
  /** Puts the bytes into a file for as long as `read` runs. */
  use(bytes: Uint8Array, read: (path: string) => Promise<void>): Promise<void>
}

/** Opens the folder, empty: nothing in it outlives the process that wrote it. */
export async function openSpool(folder: string): Promise<Spool> {
  let number = 0
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { mode: 0o700 })
  return {
    use: async (bytes, read) => {
      const path = join(folder, `${number++}`)
      try {
        await writeFile(path, bytes, { mode: 0o600 })
        await read(path)
      } finally {
        await rm(path, { force: true })
      }
    },
  }
}
