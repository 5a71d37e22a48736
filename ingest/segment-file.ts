import {
  copyFile,
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
} from 'node:fs/promises'
import { basename, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { messageOf } from '../core/errors.ts'
import { intactStretches, type Stretch, stretchesOf } from './row-stretches.ts'

/**
 * A segment on disk: one file of rows a table, and a journal that says which of those rows count.
 *
 *     000000000007.journal               header, then one line for each durable append, then at most one seal
 *     000000000007.events.jsonl          lines of JSONCompactEachRow, just as the store reads them
 *     000000000007.events.mended-1.jsonl what recovery kept of damaged rows; the header names the number
 *
 * Each journal line carries the checksum of itself and of the rows it vouches for, so rows and journal are synced side
 * by side in one round, and an append of several tables counts wholly or not at all: whatever a crash left of an
 * append without a journal line that checks out was never acknowledged, and is cut off. The seal carries checksums of the
 * rows that go to the store (older seals have none: their rows are held against the appends’ where they are
 * the same).
 */
export interface TableRows {
  readonly table: string
  readonly columns: readonly string[]
  /** Lines of `JSONCompactEachRow`, each with its line end. */
  readonly rows: Uint8Array
  /** Only lines can be appended to what is there. */
  readonly format?: never
  readonly count: number
}

/** Rows of one table that lie in a file. */
export interface TableFile {
  readonly table: string
  readonly columns: readonly string[]
  readonly path: string
  readonly bytes: number
  readonly count: number
}

/** Next free offset of each source that takes its offsets from the log. */
export type Sequences = Readonly<Record<string, number>>

/** How many bytes of rows are whose. */
export type OwnedBytes = readonly (readonly [owner: string, bytes: number])[]

export interface Segment {
  readonly number: number
  files(): readonly TableFile[]
  rowCount(): number
  byteCount(): number
  /** Resolves when the rows survive a power cut. After a failure nothing of the append remains. */
  append(tables: readonly TableRows[], sequences: Sequences, owned?: OwnedBytes): Promise<void>
  close(): Promise<void>
}

/** What recovery found of a segment. */
export interface RecoveredSegment {
  readonly number: number
  readonly files: readonly TableFile[]
  readonly sequences: Sequences
  /** Set when the segment was ready for the store: exactly these files, so that a replay is the same insert. */
  readonly sealed: readonly TableFile[] | undefined
  /** Whose bytes they were when they were appended; those of nobody are missing. */
  readonly owned: OwnedBytes
  /** Bytes of rows that were never acknowledged. */
  readonly cutBytes: number
  /** What is wrong with rows that were acknowledged, if anything is; the segment as it was found is in `damaged/`. */
  readonly damage?: string
}

interface AppendLine {
  readonly tables: Readonly<Record<string, { end: number; crc: number; count: number; columns: string[] }>>
  readonly sequences: Sequences
  readonly owned?: OwnedBytes
}

interface JournalContent {
  /** A line is damaged, and not just the last one torn: others follow. */
  readonly isDamaged: boolean
  /** How often recovery has written the segment anew; says which row files are meant. */
  readonly mended: number
  readonly sequences: Sequences
  readonly appends: readonly { readonly line: AppendLine; readonly endsAt: number }[]
  readonly sealed: readonly SealedLine[] | undefined
  readonly headerEnd: number
  /** Where the last line that checks out ends. */
  readonly end: number
}

/** A table of a seal. */
interface SealedLine extends Omit<TableFile, 'path'> {
  /** The rows lie in a file of the seal’s own. */
  readonly own?: boolean
  /** Checksums of stretches of lines, from the one before to `end`. */
  readonly stretches?: readonly Stretch[]
}

const nameOf = (number: number): string => String(number).padStart(12, '0')
const journalPath = (folder: string, number: number): string => join(folder, `${nameOf(number)}.journal`)
const rowsPath = (folder: string, number: number, table: string, mended = 0): string =>
  join(folder, `${nameOf(number)}.${table}${mended === 0 ? '' : `.mended-${mended}`}.jsonl`)
const sealedPath = (folder: string, number: number, table: string): string =>
  join(folder, `${nameOf(number)}.${table}.sealed.jsonl`)

const journalLine = (content: unknown): Buffer => {
  const json = JSON.stringify(content)
  return Buffer.from(`${crc32(json).toString(16).padStart(8, '0')} ${json}\n`)
}

/** Makes new and removed names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Writes a small file so that it is there wholly or not at all. */
export async function writeWhole(folder: string, name: string, content: Uint8Array | string): Promise<void> {
  const path = join(folder, name)
  const handle = await open(`${path}.tmp`, 'w', 0o600)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(`${path}.tmp`, path)
  await syncFolder(folder)
}

/** Starts a segment; its header carries the sequences on, so that older segments may go. */
export async function createSegment(folder: string, number: number, sequences: Sequences): Promise<Segment> {
  const header = journalLine({ segment: number, sequences })
  await writeWhole(folder, `${nameOf(number)}.journal`, header)
  const journal = await open(journalPath(folder, number), 'r+')
  const tables = new Map<string, { handle: FileHandle; file: TableFile }>()
  let journalEnd = header.byteLength
  let rows = 0
  let bytes = 0
  // Something of a failed append may still be behind the ends.
  let isTorn = false

  const openTable = async ({ table, columns }: TableRows) => {
    const known = tables.get(table)
    if (known !== undefined) return known
    const path = rowsPath(folder, number, table)
    const fresh = {
      handle: await open(path, 'w', 0o600),
      file: { table, columns, path, bytes: 0, count: 0 } as TableFile,
    }
    tables.set(table, fresh)
    await syncFolder(folder)
    return fresh
  }

  const rollBack = async () => {
    isTorn = true
    await journal.truncate(journalEnd)
    for (const { handle, file } of tables.values()) await handle.truncate(file.bytes)
    isTorn = false
  }

  return {
    number,
    files: () => [...tables.values()].map(({ file }) => file).filter(({ count }) => count > 0),
    rowCount: () => rows,
    byteCount: () => bytes,
    append: async (group, sequences, owned = []) => {
      const tablesOf: Record<string, AppendLine['tables'][string]> = {}
      const line: AppendLine = { tables: tablesOf, sequences, ...(owned.length === 0 ? {} : { owned }) }
      if (isTorn) await rollBack()
      try {
        const opened = []
        for (const part of group) {
          const entry = await openTable(part)
          opened.push({ entry, part })
          tablesOf[part.table] = {
            end: entry.file.bytes + part.rows.byteLength,
            crc: crc32(part.rows),
            count: entry.file.count + part.count,
            columns: [...part.columns],
          }
        }
        const text = journalLine(line)
        // One round of syncs for everything: the checksums make the order irrelevant.
        await Promise.all([
          writeAndSync(journal, text, journalEnd),
          ...opened.map(({ entry, part }) => writeAndSync(entry.handle, part.rows, entry.file.bytes)),
        ])
        journalEnd += text.byteLength
        for (const { entry, part } of opened) {
          entry.file = {
            ...entry.file,
            bytes: entry.file.bytes + part.rows.byteLength,
            count: entry.file.count + part.count,
          }
          rows += part.count
          bytes += part.rows.byteLength
        }
      } catch (error) {
        // Where this fails too, the next append or the seal does it: neither writes behind what is torn.
        await rollBack().catch(() => {})
        throw error
      }
    },
    close: async () => {
      await journal.close()
      for (const { handle } of tables.values()) await handle.close()
    },
  }
}

async function writeAndSync(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0
  while (written < bytes.byteLength) {
    const { bytesWritten } = await handle.write(
      bytes,
      written,
      bytes.byteLength - written,
      position + written,
    )
    written += bytesWritten
  }
  await handle.datasync()
}

/** The rows that count, each with its line end; what a failed append left behind them is not among them. */
export async function readRows({ path, bytes }: Pick<TableFile, 'path' | 'bytes'>): Promise<Uint8Array> {
  const content = await readFile(path)
  if (content.byteLength < bytes) throw new Error(`${path} has ${content.byteLength} bytes of ${bytes}`)
  return content.subarray(0, bytes)
}

/**
 * Decides, once and durably, which rows of a segment go to the store. `replaced` holds tables whose rows are not the
 * file's (duplicates left out). Every later attempt, in this run or the next, inserts exactly the returned files.
 * After an error it may be called again: what a failed attempt left of its line is overwritten.
 * @throws Error where the rows of a file are not those that were appended
 */
export async function sealSegment(
  folder: string,
  number: number,
  files: readonly TableFile[],
  replaced: ReadonlyMap<string, Pick<TableFile, 'columns' | 'count'> & { readonly rows: Uint8Array }>,
): Promise<readonly TableFile[]> {
  const sealed: TableFile[] = []
  const lines: SealedLine[] = []
  const { appends } = parseJournal(await readFile(journalPath(folder, number)))
  for (const file of files) {
    const other = replaced.get(file.table)
    if (other === undefined) {
      await cutAt(file)
      const rows = await readRows(file)
      if (!isAsAppended(rows, file.table, appends))
        throw new Error(`${file.path} has other rows than were written to it: the disk has damaged it`)
      const { path: _, ...line } = file
      lines.push({ ...line, own: false, stretches: stretchesOf(rows) })
      sealed.push(file)
    } else {
      await writeWhole(folder, `${nameOf(number)}.${file.table}.sealed.jsonl`, other.rows)
      sealed.push({
        ...file,
        path: sealedPath(folder, number, file.table),
        bytes: other.rows.byteLength,
        count: other.count,
        columns: other.columns,
      })
      lines.push({
        ...{ table: file.table, columns: other.columns, count: other.count },
        ...{ bytes: other.rows.byteLength, own: true, stretches: stretchesOf(other.rows) },
      })
    }
  }
  const line = journalLine({ sealed: lines })
  const journal = await open(journalPath(folder, number), 'r+')
  try {
    // Not just at the end of the file: a disk that was full has left half a line there, and ours would be glued to it.
    const { end } = parseJournal(await journal.readFile())
    await journal.truncate(end)
    await writeAndSync(journal, line, end)
  } finally {
    await journal.close()
  }
  return sealed
}

function isAsAppended(rows: Uint8Array, table: string, appends: JournalContent['appends']): boolean {
  let start = 0
  return appends.every(({ line }) => {
    const part = line.tables[table]
    // Of an append that failed, only its line may be there.
    if (part === undefined || part.end > rows.byteLength) return true
    const isWhole = crc32(rows.subarray(start, part.end)) === part.crc
    start = part.end
    return isWhole
  })
}

/** The store reads a file to its end, so nothing may lie behind the rows that count. */
async function cutAt({ path, bytes }: TableFile): Promise<void> {
  const { size } = await stat(path)
  if (size < bytes) throw new Error(`${path} has ${size} bytes of ${bytes}`)
  if (size > bytes) await truncate(path, bytes)
}

/**
 * Removes a segment that is in the store. The journal goes first, and for good, before any of its rows: a power cut may
 * bring removed names back, and a journal whose rows are gone would be taken for a loss.
 */
export async function removeSegment(folder: string, number: number): Promise<void> {
  await rm(journalPath(folder, number), { force: true })
  await syncFolder(folder)
  for (const name of await readdir(folder)) {
    if (name.startsWith(`${nameOf(number)}.`)) await rm(join(folder, name), { force: true })
  }
}

/** When something was last appended to a segment, or it was sealed: milliseconds. */
export const segmentTime = async (folder: string, number: number): Promise<number> =>
  (await stat(journalPath(folder, number))).mtimeMs

/** All files of a segment, as a shell knows them; for messages. */
export const segmentPattern = (folder: string, number: number): string => join(folder, `${nameOf(number)}.*`)

const numbersIn = (names: readonly string[]): number[] =>
  names
    .map((name) => /^(\d{12})\.journal$/.exec(name)?.[1])
    .filter((text) => text !== undefined)
    .map(Number)
    .sort((a, b) => a - b)

/** Numbers of the segments in the folder, oldest first; files that belong to none are removed. */
export async function listSegments(folder: string): Promise<number[]> {
  const names = await readdir(folder)
  const numbers = numbersIn(names)
  const known = new Set(numbers.map(nameOf))
  for (const name of names) {
    const owner = /^(\d{12})\./.exec(name)?.[1]
    if (name.endsWith('.tmp') || (owner !== undefined && !known.has(owner))) {
      await rm(join(folder, name), { force: true })
    }
  }
  return numbers
}

/** What lies in a folder of segments, without touching it. */
export interface WaitingSegments {
  readonly segments: number
  readonly rows: number
  /** Segments that cannot be stored as they are. */
  readonly faults: readonly { readonly files: string; readonly reason: string }[]
}

/** Looks at the segments of a log that nobody has open. A folder that is not there holds none. */
export async function inspectSegments(folder: string): Promise<WaitingSegments> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  let [segments, rows] = [0, 0]
  const faults: { files: string; reason: string }[] = []
  for (const number of numbersIn(names)) {
    try {
      const { recovered } = await readSegment(folder, number)
      const files = recovered.sealed ?? recovered.files
      const counted = files.reduce((sum, { count }) => sum + count, 0)
      if (counted === 0) continue
      segments++
      rows += counted
      for (const { path, bytes } of files) {
        const { size } = await stat(path)
        if (size < bytes) throw new Error(`${path} has ${size} bytes of ${bytes}`)
      }
      if (recovered.damage !== undefined) throw new Error(recovered.damage)
    } catch (error) {
      faults.push({ files: segmentPattern(folder, number), reason: messageOf(error) })
    }
  }
  return { segments, rows, faults }
}

/**
 * Reads a segment back after a crash: keeps every append that its journal vouches for, and cuts what a crash left of the
 * last one. Where the disk has damaged an append that others follow, or rows that are sealed, a copy of the segment is set
 * aside first. Of sealed rows the rest keeps the segment’s token: what was stored before the damage is not
 * stored again.
 */
export async function recoverSegment(folder: string, number: number): Promise<RecoveredSegment> {
  const { recovered, cuts, intact } = await readSegment(folder, number)
  if (recovered.damage === undefined) {
    for (const { path, bytes } of cuts) await truncate(path, bytes)
    return recovered
  }
  await setAside(folder, number)
  // Under names of their own: until the journal names them, the old ones with the old journal are the segment, and a
  // crash in between repeats all of this.
  const mended = recovered.mended + 1
  const files: TableFile[] = []
  const tables: Record<string, AppendLine['tables'][string]> = {}
  for (const [table, { columns, count, rows }] of intact) {
    const content = Buffer.concat(rows)
    const path = rowsPath(folder, number, table, mended)
    await writeWhole(folder, basename(path), content)
    tables[table] = { end: content.byteLength, crc: crc32(content), count, columns: [...columns] }
    files.push({ table, columns, path, bytes: content.byteLength, count })
  }
  const { sequences } = recovered
  const journal = [journalLine({ segment: number, sequences, mended }), journalLine({ tables, sequences })]
  if (recovered.sealed !== undefined) {
    const sealed: SealedLine[] = []
    for (const { path: _, ...line } of files)
      sealed.push({
        ...line,
        own: false,
        stretches: stretchesOf(Buffer.concat(intact.get(line.table)?.rows ?? [])),
      })
    journal.push(journalLine({ sealed }))
  }
  await writeWhole(folder, `${nameOf(number)}.journal`, Buffer.concat(journal))
  return { ...recovered, files, sealed: recovered.sealed && files }
}

/** Where segments lie that the disk has damaged, as they were found. */
export const damagedFolder = (folder: string): string => join(folder, 'damaged')

async function setAside(folder: string, number: number): Promise<void> {
  const aside = damagedFolder(folder)
  await mkdir(aside, { recursive: true, mode: 0o700 })
  await syncFolder(folder)
  const there = new Set(await readdir(aside))
  for (const name of await readdir(folder)) {
    // What an earlier start has set aside is what was found first.
    if (!name.startsWith(`${nameOf(number)}.`) || there.has(name)) continue
    await copyFile(join(folder, name), join(aside, `${name}.tmp`))
    const copy = await open(join(aside, `${name}.tmp`), 'r+')
    await copy.sync().finally(() => copy.close())
    await rename(join(aside, `${name}.tmp`), join(aside, name))
  }
  await syncFolder(aside)
}

/** Rows of a table in appends whose checksums are right. */
interface IntactRows {
  readonly columns: readonly string[]
  count: number
  readonly rows: Buffer[]
}

/** The segment as its journal vouches for it, and what is to be cut off. */
async function readSegment(
  folder: string,
  number: number,
): Promise<{
  recovered: RecoveredSegment & { readonly mended: number }
  cuts: readonly { path: string; bytes: number }[]
  intact: ReadonlyMap<string, IntactRows>
}> {
  const journal = parseJournal(await readFile(journalPath(folder, number)))
  const { mended } = journal
  const contents = new Map<string, Buffer>()
  const read = async (table: string): Promise<Buffer> => {
    const known = contents.get(table)
    if (known !== undefined) return known
    const content = await readFile(rowsPath(folder, number, table, mended)).catch(() => Buffer.alloc(0))
    contents.set(table, content)
    return content
  }
  const files = new Map<string, TableFile>()
  const intact = new Map<string, IntactRows>()
  const before = new Map<string, { end: number; count: number }>()
  let { sequences } = journal
  let journalEnd = journal.headerEnd
  let broken: number | undefined
  for (const [at, { line, endsAt }] of journal.appends.entries()) {
    for (const table of Object.keys(line.tables)) await read(table)
    const whole = holds(line, before, contents)
    if (!whole) broken ??= at
    for (const [table, { end, count, columns }] of Object.entries(line.tables)) {
      const { end: start, count: counted } = before.get(table) ?? { end: 0, count: 0 }
      before.set(table, { end, count })
      if (!whole) continue
      const kept = intact.get(table) ?? { columns, count: 0, rows: [] }
      kept.rows.push(contents.get(table)?.subarray(start, end) ?? Buffer.alloc(0))
      kept.count += count - counted
      intact.set(table, kept)
      if (broken === undefined)
        files.set(table, { table, columns, path: rowsPath(folder, number, table, mended), bytes: end, count })
    }
    if (broken !== undefined) continue
    sequences = line.sequences
    journalEnd = endsAt
  }
  const isDamaged = journal.isDamaged || (broken !== undefined && broken < journal.appends.length - 1)
  const owned = journal.appends.slice(0, broken).flatMap(({ line }) => line.owned ?? [])
  if (isDamaged) sequences = journal.appends.at(-1)?.line.sequences ?? sequences
  if (journal.sealed !== undefined) {
    const sealed: TableFile[] = []
    const whole = new Map<string, IntactRows>()
    const hurt: string[] = []
    for (const { own = false, stretches, ...file } of journal.sealed) {
      const path = own ? sealedPath(folder, number, file.table) : rowsPath(folder, number, file.table, mended)
      sealed.push({ ...file, path })
      const content = await readFile(path).catch(() => Buffer.alloc(0))
      const rows = content.subarray(0, file.bytes)
      const kept = { columns: file.columns, count: file.count, rows: [rows] }
      // Rows that are gone are not damaged ones: the segment is stuck, until they are back or a person decides.
      if (rows.byteLength < file.bytes) whole.set(file.table, kept)
      else if (stretches !== undefined) {
        const good = intactStretches(rows, stretches)
        whole.set(file.table, { columns: file.columns, ...good })
        if (good.count < file.count) hurt.push(`${file.count - good.count} rows of ${basename(path)}`)
      } else if (own || isAsAppended(rows, file.table, journal.appends)) whole.set(file.table, kept)
      else {
        whole.set(file.table, intact.get(file.table) ?? { ...kept, count: 0, rows: [] })
        hurt.push(`rows of ${basename(path)}`)
      }
    }
    return {
      recovered: {
        ...{ number, files: [...files.values()], sequences, sealed, owned, cutBytes: 0, mended },
        ...(hurt.length === 0 ? {} : { damage: `sealed rows have wrong checksums: ${hurt.join(', ')}` }),
      },
      cuts: [],
      intact: whole,
    }
  }
  let cutBytes = 0
  const cuts: { path: string; bytes: number }[] = []
  for (const [table, content] of contents) {
    const keep = files.get(table)?.bytes ?? 0
    cutBytes += content.byteLength - keep
    if (content.byteLength > keep) cuts.push({ path: rowsPath(folder, number, table, mended), bytes: keep })
  }
  cuts.push({ path: journalPath(folder, number), bytes: journalEnd })
  return {
    recovered: {
      ...{ number, files: [...files.values()], sequences, sealed: undefined, owned, cutBytes, mended },
      ...(isDamaged ? { damage: 'rows or journal lines that were acknowledged have wrong checksums' } : {}),
    },
    cuts,
    intact,
  }
}

function holds(
  line: AppendLine,
  before: ReadonlyMap<string, { readonly end: number }>,
  contents: ReadonlyMap<string, Buffer>,
): boolean {
  return Object.entries(line.tables).every(([table, { end, crc }]) => {
    const content = contents.get(table)
    if (content === undefined || content.byteLength < end) return false
    return crc32(content.subarray(before.get(table)?.end ?? 0, end)) === crc
  })
}

/** The lines of a journal that check out. A journal without a whole header vouches for nothing. */
function parseJournal(bytes: Buffer): JournalContent {
  const appends: { line: AppendLine; endsAt: number }[] = []
  let sequences: Sequences = {}
  let sealed: JournalContent['sealed']
  let headerEnd = 0
  let mended = 0
  let start = 0
  let end = 0
  let isTorn = false
  let isDamaged = false
  for (let lineEnd = bytes.indexOf(10); lineEnd !== -1; lineEnd = bytes.indexOf(10, start)) {
    const text = bytes.toString('utf8', start, lineEnd)
    const json = text.slice(9)
    start = lineEnd + 1
    if (text.slice(0, 8) !== crc32(json).toString(16).padStart(8, '0')) {
      isTorn = true
      continue
    }
    isDamaged ||= isTorn
    end = start
    const content = JSON.parse(json) as Partial<AppendLine> & {
      segment?: number
      mended?: number
      sealed?: NonNullable<JournalContent['sealed']>
    }
    if (content.segment !== undefined) {
      sequences = content.sequences ?? {}
      mended = content.mended ?? 0
      headerEnd = start
    } else if (content.sealed !== undefined) sealed = content.sealed
    else if (content.tables !== undefined && content.sequences !== undefined) {
      const line = { tables: content.tables, sequences: content.sequences, owned: content.owned ?? [] }
      appends.push({ line, endsAt: start })
    }
  }
  // A journal is made with its header: one without it has lost it.
  return {
    isDamaged: isDamaged || (headerEnd === 0 && bytes.length > 0),
    sequences,
    appends,
    sealed,
    headerEnd,
    mended,
    end,
  }
}
