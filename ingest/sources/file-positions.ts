import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import { writeWhole } from '../segment-file.ts'

/** How far a followed file was read. */
export interface FilePosition {
  /** Where it was seen last. */
  path: string
  dev: number
  ino: number
  /** As `headOf`. */
  readonly head: string
  /** Topic of its records; it stays when the file is renamed. */
  readonly topic: string
  /** Bytes (unpacked) that are read and stored. */
  offset: number
  /** CRC-32 of these bytes: a copy of the file is known by it. Of a packed file it is not kept: 0. */
  crc: number
  /** Bytes on disk of a packed file or a document when it was read to its end; with another size it is read again. */
  wholeBytes?: number
  /** Nothing more will come of it. */
  done: boolean
  seenMs: number
  /** The stretch that was being stored: after a crash exactly this stretch is stored again, as of the same time. */
  intent?: { readonly to: number; readonly atMs: number }
}

/** The positions of the followed files, in one small file that is there wholly or not at all. */
export interface FilePositions {
  readonly files: FilePosition[]
  /** Resolves when they survive a power cut. */
  save(): Promise<void>
}

/**
 * @param name of the file in `folder`; one follower a name
 * @throws GatewatchError `config_invalid` when the file is there and cannot be read
 */
export async function openFilePositions(folder: string, name = 'positions.json'): Promise<FilePositions> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const files = await readPositions(join(folder, name))
  return { files, save: () => writeWhole(folder, name, `${JSON.stringify({ files })}\n`) }
}

async function readPositions(path: string): Promise<FilePosition[]> {
  try {
    const { files } = JSON.parse(await readFile(path, 'utf8')) as { files: FilePosition[] }
    return files
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw new GatewatchError('config_invalid', `${path} cannot be read: ${messageOf(cause)}.`, {
      cause,
      remedy:
        'Remove it to read the followed files from their beginnings; what is stored is not stored again.',
    })
  }
}
