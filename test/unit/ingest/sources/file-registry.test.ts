import { appendFile, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RawRecord } from '../../../../ingest/record.ts'
import { readRecords } from '../../../../ingest/sources/file.ts'
import { createFileFollower } from '../../../../ingest/sources/file-follow.ts'
import { openFilePositions } from '../../../../ingest/sources/file-positions.ts'
import { openFileRegistry } from '../../../../ingest/sources/file-registry.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-registry-'))
  for (const day of ['day1', 'day2']) await mkdir(join(folder, day))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** One reading by a process of its own: nothing but the disk remembers the one before. */
async function batchesOf(path: string): Promise<RawRecord[][]> {
  const registry = await openFileRegistry(join(folder, 'registry'))
  const stdin = Readable.from([])
  const options = { path, tenant: 'default', stdin, nowMs: 1, reserve: () => 0, registry, cutAtMarks: true }
  return Array.fromAsync(readRecords(options))
}

const read = async (path: string) => (await batchesOf(path)).flat()
const idsOf = (records: readonly RawRecord[]) =>
  records.map(({ topic, offset, timestampMs }) => `${topic} ${offset} ${timestampMs}`)
const texts = (records: readonly RawRecord[]) => records.map(({ value }) => Buffer.from(value).toString())

const ARRAY = (...names: string[]) =>
  JSON.stringify(
    names.map((tool) => ({ tool })),
    null,
    2,
  )

describe('file registry', () => {
  it('takes files of the same name and first line for two, whichever is read again', async () => {
    const [one, two] = [join(folder, 'day1/audit.json'), join(folder, 'day2/audit.json')]
    await writeFile(one, ARRAY('a', 'b', 'c'))
    await writeFile(two, ARRAY('x', 'y', 'z'))
    const [first, second] = [await read(one), await read(two)]
    expect(new Set([...first, ...second].map(({ topic }) => topic)).size).toBe(2)
    expect(idsOf(await read(one))).toEqual(idsOf(first))
    expect(idsOf(await read(two))).toEqual(idsOf(second))
  })

  it('knows a file that grew: lines, and an array that was written anew', async () => {
    const [log, array] = [join(folder, 'audit.log'), join(folder, 'audit.json')]
    await writeFile(log, '{"a":1}\n')
    await writeFile(array, ARRAY('a'))
    const before = [...(await read(log)), ...(await read(array))]
    await appendFile(log, '{"a":2}\n')
    await writeFile(array, ARRAY('a', 'b'))
    const after = [...(await read(log)), ...(await read(array))]
    expect(after).toHaveLength(4)
    expect(idsOf(after).filter((id) => idsOf(before).includes(id))).toEqual(idsOf(before))
  })

  it('takes a file for another one when only what the first one was at the beginning is the same', async () => {
    const [one, two] = [join(folder, 'day1/audit.log'), join(folder, 'day2/audit.log')]
    await writeFile(one, '{"boot":true}\n')
    await read(one)
    await appendFile(one, '{"a":1}\n')
    const first = await read(one)
    await writeFile(two, '{"boot":true}\n')
    const second = await read(two)
    await appendFile(two, '{"a":2}\n')
    const grown = await read(two)
    expect(first[0]?.topic).not.toBe(second[0]?.topic)
    expect(grown[0]?.topic).toBe(second[0]?.topic)
    expect(idsOf(await read(one))).toEqual(idsOf(first))
  })

  it('gives records the time that the file had when they were first seen', async () => {
    const path = join(folder, 'audit.log')
    await writeFile(path, '{"a":1}\n')
    await utimes(path, 1000, 1000)
    const first = await read(path)
    await utimes(path, 2000, 2000)
    expect(idsOf(await read(path))).toEqual(idsOf(first))
    await appendFile(path, '{"a":2}\n')
    await utimes(path, 3000, 3000)
    expect((await read(path)).map(({ timestampMs }) => timestampMs)).toEqual([1_000_000, 3_000_000])
    await writeFile(`${path}.gz`, gzipSync(await readFile(path)))
    await utimes(`${path}.gz`, 4000, 4000)
    expect(idsOf(await read(`${path}.gz`))).toEqual(idsOf(await read(path)))
  })

  it('knows a file of which the reading was killed before its first record was stored', async () => {
    const path = join(folder, 'audit.log')
    await writeFile(path, '{"a":1}\n{"a":2}\n')
    const registry = await openFileRegistry(join(folder, 'registry'))
    const options = {
      path,
      tenant: 'default',
      stdin: Readable.from([]),
      nowMs: 1,
      reserve: () => 0,
      registry,
    }
    const { value } = await readRecords(options).next()
    await appendFile(path, '{"a":3}\n')
    await appendFile(join(folder, 'registry/read-files.jsonl'), '{"name":"audit.log","topic":"torn')
    expect((await read(path)).map(({ topic, offset }) => [topic, offset])).toEqual([
      ...(value as RawRecord[]).map(({ topic, offset }) => [topic, offset]),
      [(value as RawRecord[])[0]?.topic, 16],
    ])
  })

  it('cuts batches where earlier readings ended, so that they are the same again', async () => {
    const path = join(folder, 'audit.log')
    await writeFile(path, 'one\ntwo\nhal')
    const first = (await batchesOf(path)).map(texts)
    expect(first).toEqual([['one', 'two'], ['hal']])
    await appendFile(path, 'f\nthree\nfour\n')
    const second = (await batchesOf(path)).map(texts)
    expect(second).toEqual([['one', 'two'], ['half'], ['three', 'four']])
    expect((await batchesOf(path)).map(texts)).toEqual(second)
  })

  it('forgets the oldest when there are too many, and goes on', async () => {
    const path = (number: number) => join(folder, `${number}.log`)
    for (let number = 0; number < 6; number++) {
      await writeFile(path(number), `{"a":${number}}\n`)
      await utimes(path(number), 1000, 1000)
      await read(path(number))
    }
    await openFileRegistry(join(folder, 'registry'), 4)
    await utimes(path(0), 2000, 2000)
    await utimes(path(5), 2000, 2000)
    expect((await read(path(0)))[0]?.timestampMs).toBe(2_000_000)
    expect((await read(path(5)))[0]?.timestampMs).toBe(1_000_000)
  })

  it('goes on with the topic of a follower that has read the file', async () => {
    const path = join(folder, 'audit.log')
    await writeFile(path, '{"a":1}\n{"a":2}\n')
    const follow = async (of: string, take: (records: readonly RawRecord[]) => Promise<void>) => {
      const { topicOf } = await openFileRegistry(join(folder, 'registry'))
      const follower = createFileFollower({
        paths: [{ path: of, tenant: 'default' }],
        positions: await openFilePositions(join(folder, 'registry')),
        topicOf,
        take,
        clock: { now: () => Date.now() },
      })
      await follower.look()
      await follower.stop()
    }
    const followed: RawRecord[] = []
    await follow(path, async (records) => void followed.push(...records))
    expect((await read(path)).map(({ topic, offset }) => [topic, offset])).toEqual(
      followed.map(({ topic, offset }) => [topic, offset]),
    )
    const other = join(folder, 'day1/audit.log')
    await writeFile(other, '{"b":1}\n')
    const once = await read(other)
    const again: RawRecord[] = []
    await follow(other, async (records) => void again.push(...records))
    expect(again.map(({ topic, offset }) => [topic, offset])).toEqual(
      once.map(({ topic, offset }) => [topic, offset]),
    )
  })
})
