import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A small file system of its own that can be filled to the last byte. */
export interface SmallDisk {
  readonly folder: string
  fill(): void
  free(): void
  remove(): void
}

/** @returns the reason in words where no file system can be mounted (it takes root) */
export function mountSmallDisk(megabytes: number): SmallDisk | string {
  const folder = mkdtempSync(join(tmpdir(), 'gatewatch-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder], { stdio: 'pipe' })
  } catch (error) {
    rmSync(folder, { recursive: true })
    return `no tmpfs can be mounted: ${error instanceof Error ? error.message.split('\n')[0] : error}`
  }
  const ballast = join(folder, 'ballast')
  const remove = () => {
    process.off('exit', remove)
    execFileSync('umount', ['-l', folder], { stdio: 'pipe' })
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', remove)
  return {
    folder,
    fill: () => {
      const file = openSync(ballast, 'w')
      try {
        for (let size = 4 << 20; size >= 512; ) {
          try {
            writeSync(file, Buffer.alloc(size))
          } catch {
            size >>= 1
          }
        }
      } finally {
        closeSync(file)
      }
    },
    free: () => rmSync(ballast, { force: true }),
    remove,
  }
}
