import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'

const GIGABYTE = 1024 ** 3
const LEAST_BYTES = GIGABYTE
const LEAST_SHARE = 0.05

/** Bytes of a file system, as this user has them. */
export interface Space {
  readonly freeBytes: number
  readonly totalBytes: number
}

/** The space where `folder` is, or where it would be made. @throws what the operating system says */
export function spaceAt(folder: string): Space {
  try {
    const { bavail, blocks, bsize } = statfsSync(folder)
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(folder) === folder) throw error
    return spaceAt(dirname(folder))
  }
}

/** What people are told: little is less than 1 GB, or less than a twentieth of the whole. */
export function describeSpace({ freeBytes, totalBytes }: Space): {
  readonly little: boolean
  readonly text: string
} {
  const share = totalBytes > 0 ? freeBytes / totalBytes : 0
  const little = freeBytes < LEAST_BYTES || share < LEAST_SHARE
  const gigabytes = (freeBytes / GIGABYTE).toFixed(1)
  return { little, text: `${gigabytes} GB free (${Math.floor(100 * share)} %)` }
}
