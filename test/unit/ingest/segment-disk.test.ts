import type { FileHandle } from 'node:fs/promises'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { GatewatchError } from '../../../core/errors.ts'
import type { Batch } from '../../../ingest/record.ts'
import { openSegmentLog, type SegmentLog, type SegmentLogOptions } from '../../../ingest/segment-log.ts'
import { silentTelemetry } from '../../../ingest/telemetry.ts'
import { encodeBatch } from '../../../store/event-writer.ts'
import { smallEvent } from '../../helpers/events.ts'
import { compareByIds } from '../../helpers/known-events.ts'

// The real disk, which can be full, break at a step, or lose what was not synced.
const disk = vi.hoisted(() => {
  // Files before this one have loaded what uses the disk; files after it want the disk as it is.
  vi.resetModules()
  return {
    /** Asked before a step; what it throws is the disk's answer. A number says how many bytes fit of a write. */
    fault: (_step: string, _path: string): number | undefined => undefined,
    /** Removed names, with their content, that no sync of their folder has made durable. */
    removed: new Map<string, Uint8Array>(),
  }
})
afterAll(() => vi.resetModules())

vi.mock('node:fs/promises', async (importActual) => {
  const real = await importActual<typeof import('node:fs/promises')>()
  const full = () => Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
  const watched = (handle: FileHandle, path: string): FileHandle =>
    new Proxy(handle, {
      get: (target, name) => {
        const value = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return async (...args: unknown[]) => {
          const fits = disk.fault(String(name), path)
          if (fits !== undefined) {
            // A full disk takes what fits.
            const [bytes, from = 0, , position] = args as [Uint8Array, number?, number?, number?]
            await target.write(bytes.subarray(from, from + fits), 0, fits, position ?? null)
            throw full()
          }
          const result = await Reflect.apply(value, target, args)
          if (name === 'sync')
            for (const gone of disk.removed.keys()) if (dirname(gone) === path) disk.removed.delete(gone)
          return result
        }
      },
    })
  return {
    ...real,
    open: async (path: string, ...rest: never[]) => {
      disk.fault('open', path)
      return watched(await real.open(path, ...rest), path)
    },
    rename: async (from: string, to: string) => {
      disk.fault('rename', to)
      await real.rename(from, to)
    },
    rm: async (path: string, options: object) => {
      disk.fault('rm', path)
      const content = await real.readFile(path).catch(() => undefined)
      await real.rm(path, options)
      if (content !== undefined) disk.removed.set(path, content)
    },
  }
})

const eventBatch = (...ids: string[]): Batch => ({
  events: ids.map((event_id) => smallEvent({ event_id })),
  parts: [],
  deadLetters: [],
})

const deafStore: SegmentLogOptions['write'] = () =>
  Promise.reject(new GatewatchError('store_unavailable', 'away'))

const breakOnce = (step: string, ending: string, answer: () => number | undefined) => {
  disk.fault = (asked, path) => {
    if (asked !== step || !path.endsWith(ending)) return undefined
    disk.fault = () => undefined
    return answer()
  }
}
const crash = () => {
  throw new Error('crashed')
}

let folder: string
const opened: SegmentLog[] = []
const stored: string[][] = []

async function open(options: Partial<SegmentLogOptions> = {}): Promise<SegmentLog> {
  const log = await openSegmentLog({
    folder,
    encode: encodeBatch,
    compare: compareByIds(),
    telemetry: silentTelemetry,
    backoff: { firstMs: 1, capMs: 5 },
    write: async (blocks) => {
      for (const { rows } of blocks) stored.push(idsOf(await readFile(rows.path, 'utf8')))
      return { rejected: 0 }
    },
    ...options,
  })
  opened.push(log)
  return log
}

const idsOf = (rows: string): string[] => {
  const lines = rows.split('\n')
  // A file of lines ends with a line end; the store would take the rest for a row.
  expect(lines.pop()).toBe('')
  return lines.map((line) => JSON.parse(line)[0])
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-disk-'))
})
afterEach(async () => {
  disk.fault = () => undefined
  disk.removed.clear()
  stored.length = 0
  for (const log of opened.splice(0)) await log.close(0)
  await rm(folder, { recursive: true, force: true })
})

describe('a disk that is full', () => {
  it('leaves half a seal line, and the next one is not glued to it', async () => {
    const written: string[][] = []
    const first = await open({
      compare: compareByIds((id) => ['old'].includes(id)),
      write: async (blocks) => {
        for (const { rows } of blocks) written.push(idsOf(await readFile(rows.path, 'utf8')))
        throw new GatewatchError('store_unavailable', 'a view failed after the table was written')
      },
    })
    await first.append(eventBatch('a', 'old'))
    // The seal is the next write to the journal.
    let isFull = true
    disk.fault = (step, path) => {
      if (!isFull || !step.startsWith('write') || !path.endsWith('1.journal')) return undefined
      isFull = false
      return 20
    }
    await expect.poll(() => written.length).toBeGreaterThan(0)
    expect(isFull).toBe(false)
    await first.close(0)
    // What was decided stands, although by now the store has the row.
    await (await open({ compare: compareByIds((id) => ['a', 'old'].includes(id)) })).flush()
    expect(stored).toEqual([['a']])
  })

  it('leaves half an append that cannot be cut off, and nothing of it gets into the store', async () => {
    const log = await open({ sealMs: 60_000 })
    await log.append(eventBatch('a'))
    disk.fault = (step, path) => {
      if (step === 'write' && path.endsWith('events.jsonl')) return 30
      if (step === 'truncate') throw new Error('EIO')
      return undefined
    }
    await expect(log.append(eventBatch('b'))).rejects.toMatchObject({ code: 'overloaded' })
    disk.fault = () => undefined
    await log.flush()
    expect(stored).toEqual([['a']])
  })

  it('does not let flush say that all is stored while a new segment cannot be made', async () => {
    const log = await open({ sealMs: 60_000 })
    await log.append(eventBatch('a'))
    breakOnce('open', '2.journal.tmp', crash)
    await log.flush()
    expect(stored).toEqual([['a']])
  })

  it('tells a flush that waits for it when the log is closed', async () => {
    const log = await open({ sealMs: 60_000 })
    await log.append(eventBatch('a'))
    disk.fault = (step, path) => (step === 'open' && path.endsWith('2.journal.tmp') ? crash() : undefined)
    const flushed = log.flush().catch((error) => error)
    await log.close(0)
    expect(await flushed).toMatchObject({ code: 'store_unavailable' })
  })
})

describe('the recovery of a damaged segment', () => {
  const damage = async () => {
    const first = await open({ write: deafStore, sealMs: 60_000 })
    for (const id of ['a', 'b', 'c', 'd']) await first.append(eventBatch(id))
    // As after a crash: nobody has sealed it.
    const files = await Promise.all(
      (await readdir(folder)).map(async (name) => [name, await readFile(join(folder, name))] as const),
    )
    await first.close(0)
    await rm(folder, { recursive: true })
    folder = await mkdtemp(join(tmpdir(), 'gatewatch-disk-'))
    for (const [name, content] of files) {
      const text = content.toString()
      await writeFile(join(folder, name), name.endsWith('.jsonl') ? text.replace('"b"', '"X"') : text)
    }
  }

  it.each([
    ['open', '1.journal.tmp'],
    ['rename', '1.journal'],
    ['rename', '.jsonl'],
    ['rename', 'damaged/000000000001.journal'],
  ])('loses nothing when it crashes at the %s of %s', async (step, ending) => {
    await damage()
    breakOnce(step, ending, crash)
    const crashed = await open().catch((error) => error)
    if (crashed instanceof Error) expect(crashed.message).toBe('crashed')
    else await crashed.close(0)
    await (await open()).flush()
    expect(stored).toEqual([['a', 'c', 'd']])
    const aside = await readFile(join(folder, 'damaged', '000000000001.events.jsonl'), 'utf8')
    expect(idsOf(aside)).toEqual(['a', 'X', 'c', 'd'])
    expect((await readdir(join(folder, 'damaged'))).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })
})

describe('a power cut', () => {
  it('does not bring back the journal of a segment whose rows are removed', async () => {
    const first = await open()
    await first.append(eventBatch('a'))
    await first.flush()
    await first.close()
    // Of the removed names that no sync made durable, any may be back; here the journals are.
    for (const [path, content] of disk.removed) {
      if (basename(path).endsWith('.journal')) await writeFile(path, content)
    }
    const second = await open()
    await second.flush()
    expect(second.status().stuck).toBeUndefined()
    expect(stored).toEqual([['a']])
  })
})
