import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeWhole } from '../segment-file.ts'
import { type NoteSetAside, readStateFile } from '../state-file.ts'

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
 * Where the file is damaged, it is set aside and every followed file is read from its beginning: what is stored is not
 * stored again.
 * @param name of the file in `folder`; one follower a name
 */
export async function openFilePositions(
  folder: string,
  name = 'positions.json',
  note: NoteSetAside = () => {},
): Promise<FilePositions> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const files = (await readStateFile(join(folder, name), readPositions, note)) ?? []
  return { files, save: () => writeWhole(folder, name, `${JSON.stringify({ files })}\n`) }
}

function readPositions(text: string): FilePosition[] {
  const { files } = JSON.parse(text) as { files?: unknown }
  if (!Array.isArray(files)) throw new TypeError('it holds no list of files')
  const isWhole = (file: Partial<FilePosition> | null): boolean =>
    typeof file?.path === 'string' && typeof file.topic === 'string' && Number.isSafeInteger(file.offset)
  if (!files.every(isWhole)) throw new TypeError('a file in it has no path, topic or offset')
  return files as FilePosition[]
}
