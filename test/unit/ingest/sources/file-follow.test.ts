import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  rename,
  rm,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createManualClock } from '../../../../core/clock.ts'
import { GatewatchError } from '../../../../core/errors.ts'
import type { RawRecord } from '../../../../ingest/record.ts'
import { createFileFollower, type FileFollower } from '../../../../ingest/sources/file-follow.ts'
import { openFilePositions } from '../../../../ingest/sources/file-positions.ts'
import { PATIENCE_MS } from '../../../helpers/patience.ts'

let folder: string
let logs: string
let taken: RawRecord[]
let follower: FileFollower
let refuse: (() => void) | undefined
const troubles: string[] = []
const clock = createManualClock(Date.now() + 60_000)

const open = async (...paths: string[]) => {
  const positions = await openFilePositions(join(folder, 'state'))
  follower = createFileFollower({
    paths: paths.map((path) => ({ path: join(logs, path), tenant: 'acme' })),
    positions,
    take: async (records) => {
      refuse?.()
      taken.push(...records)
    },
    clock,
    onTrouble: (message) => troubles.push(message),
  })
}
/** Looks until nothing is left. The first look of a start is `start`'s own business, so tests call `look` alone. */
const settle = async () => {
  while (await follower.look()) {}
}
const linger = async () => {
  await settle()
  clock.advance(61_000)
  await settle()
  await settle()
}
const texts = () => taken.map(({ value }) => Buffer.from(value).toString())
const path = (name: string) => join(logs, name)

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-follow-'))
  logs = join(folder, 'logs')
  await mkdir(logs)
  taken = []
  troubles.length = 0
  refuse = undefined
})
afterEach(async () => {
  await follower.stop()
  await rm(folder, { recursive: true, force: true })
})

describe('a file that grows', () => {
  it('gives each line once, with its byte offset, when its end is there', async () => {
    await open('app.log')
    await settle()
    await writeFile(path('app.log'), 'one\r\ntwo\n\n  \nthr')
    await settle()
    expect(texts()).toEqual(['one', 'two'])
    await appendFile(path('app.log'), 'ee\nfour\n')
    await settle()
    expect(taken.map(({ offset }) => offset)).toEqual([0, 5, 13, 19])
    expect(texts()).toEqual(['one', 'two', 'three', 'four'])
    expect(new Set(taken.map(({ topic, partition, tenant }) => `${topic} ${partition} ${tenant}`)).size).toBe(
      1,
    )
  })

  it('is read on after a restart, also when it was renamed meanwhile', async () => {
    await writeFile(path('app.log'), 'one\ntwo\n')
    await open('app.log')
    await settle()
    await follower.stop()
    await appendFile(path('app.log'), 'three\n')
    await rename(path('app.log'), path('app.log.1'))
    await writeFile(path('app.log'), 'four\n')
    await open('app.log')
    await follower.start()
    await until(() => taken.length === 4)
    expect(texts().sort()).toEqual(['four', 'one', 'three', 'two'])
    const topicOf = (text: string) => taken[texts().indexOf(text)]?.topic
    expect(topicOf('three')).toBe(topicOf('one'))
    expect(topicOf('four')).not.toBe(topicOf('one'))
  })

  it('is taken in stretches of bounded size, in order', async () => {
    const lines = Array.from({ length: 12_345 }, (_, index) => `line ${index}`)
    await writeFile(path('app.log'), `${lines.join('\n')}\n`)
    await open('app.log')
    await settle()
    expect(texts()).toEqual(lines)
  })

  it('keeps the beginning of a line without an end in sight, and goes on', async () => {
    await writeFile(path('app.log'), `first\n${'x'.repeat(9 * 1024 * 1024)}\nlast\n`)
    await open('app.log')
    await settle()
    expect(taken.map(({ value }) => value.length)).toEqual([5, 8 * 1024 * 1024, 4])
  })
})

describe('rotation', () => {
  it('by rename and create: what is written to the old file afterwards is read too', async () => {
    await writeFile(path('app.log'), 'one\n')
    await open('app.log')
    await settle()
    await rename(path('app.log'), path('app.log.1'))
    await appendFile(path('app.log.1'), 'two\n')
    await writeFile(path('app.log'), 'three\n')
    await settle()
    await appendFile(path('app.log.1'), 'four, without an end')
    await linger()
    expect(texts().sort()).toEqual(['four, without an end', 'one', 'three', 'two'])
    expect(follower.status().files).toBe(1)
  })

  it('by rename and removal: what was not read yet is read from the open file', async () => {
    await writeFile(path('app.log'), 'one\n')
    await open('app.log')
    await settle()
    await appendFile(path('app.log'), 'two\n')
    await unlink(path('app.log'))
    await linger()
    expect(texts()).toEqual(['one', 'two'])
  })

  it('by copy and truncation: what was not read yet comes from the copy', async () => {
    await writeFile(path('app.log'), 'one\ntwo\n')
    await open('app.log')
    await settle()
    await appendFile(path('app.log'), 'three\n')
    await copyFile(path('app.log'), path('app.log.1'))
    await truncate(path('app.log'))
    await appendFile(path('app.log'), 'four\n')
    await settle()
    expect(texts()).toEqual(['one', 'two', 'three', 'four'])
  })

  it('by copy and truncation, where the new content is longer than the old', async () => {
    await writeFile(path('app.log'), 'one\n')
    await open('app.log*')
    await settle()
    await copyFile(path('app.log'), path('app.log.1'))
    await settle()
    await writeFile(path('app.log'), 'two\nthree\nfour\n')
    await linger()
    expect(texts()).toEqual(['one', 'two', 'three', 'four'])
  })

  it('within the pattern is no new file, nor is the old one packed', async () => {
    await writeFile(path('app.log'), 'one\n')
    await open('app.log*')
    await settle()
    await rename(path('app.log'), path('app.log.1'))
    await writeFile(path('app.log'), 'two\n')
    await linger()
    await writeFile(path('app.log.1.gz'), gzipSync('one\n'))
    await unlink(path('app.log.1'))
    await linger()
    expect(texts()).toEqual(['one', 'two'])
  })

  it('packed before it was read to its end: the rest comes from the packed file', async () => {
    await writeFile(path('app.log'), 'one\n')
    await open('app.log')
    await settle()
    await follower.stop()
    await writeFile(path('app.log.1.gz'), gzipSync('one\ntwo\n'))
    await unlink(path('app.log'))
    await writeFile(path('app.log'), 'three\n')
    await open('app.log')
    await follower.start()
    await until(() => taken.length === 3)
    expect(texts().sort()).toEqual(['one', 'three', 'two'])
  })
})

describe('a folder', () => {
  it('is read file by file: packed files and JSON documents once, hidden files and folders never', async () => {
    await writeFile(path('a.log'), 'a1\n')
    await writeFile(path('b.log.gz'), gzipSync('b1\nb2\n'))
    await writeFile(path('c.json'), '[\n  {"c": 1},\n  {"c": 2}\n]\n')
    await writeFile(path('.hidden'), 'no\n')
    await mkdir(path('deeper'))
    await open('')
    await settle()
    await settle()
    expect(texts().sort()).toEqual(['a1', 'b1', 'b2', '{"c": 1}', '{"c": 2}'])
    await follower.stop()
    await open('')
    await settle()
    expect(taken).toHaveLength(5)
  })

  it('keeps files apart that begin with the same line, and files of the same name', async () => {
    await mkdir(path('x'))
    await mkdir(path('y'))
    await writeFile(path('x/app.log'), '# banner\n')
    await writeFile(path('y/app.log'), '# banner\ny1\n')
    await open('*/app.log')
    await settle()
    await appendFile(path('x/app.log'), 'x1\n')
    await settle()
    expect(texts().sort()).toEqual(['# banner', '# banner', 'x1', 'y1'])
    expect(new Set(taken.map(({ topic, offset }) => `${topic} ${offset}`)).size).toBe(4)
  })

  it('stores what is before the damage of a packed file, and says so', async () => {
    const lines = Array.from({ length: 20_000 }, (_, index) => `${index} ${Math.sin(index)}\n`).join('')
    const packed = gzipSync(lines)
    await writeFile(path('b.log.gz'), packed.subarray(0, packed.length - 5000))
    await open('')
    await settle()
    expect(taken.length).toBeGreaterThan(1000)
    expect(troubles.join()).toContain('b.log.gz')
  })
})

describe('what cannot be stored', () => {
  it('is offered again until it is, and nothing is lost or twice', async () => {
    await writeFile(path('app.log'), 'one\ntwo\n')
    await open('app.log')
    let refusals = 0
    refuse = () => {
      if (refusals++ < 1) throw new GatewatchError('overloaded', 'full')
    }
    await settle()
    expect(texts()).toEqual(['one', 'two'])
    expect(troubles).toEqual(['full'])
  })

  it('and is ended in the middle is stored again as exactly the same records', async () => {
    await writeFile(path('app.log'), 'one\ntwo\n')
    await open('app.log')
    refuse = () => {
      throw new Error('the process ends here')
    }
    await expect(follower.look()).rejects.toThrow()
    // What the first run began was as of its time, and ended before this line.
    const begunAt = clock.now()
    clock.advance(3_600_000)
    await appendFile(path('app.log'), 'three\n')
    refuse = undefined
    await open('app.log')
    await settle()
    expect(taken.map(({ value, timestampMs }) => [Buffer.from(value).toString(), timestampMs])).toEqual([
      ['one', begunAt],
      ['two', begunAt],
      ['three', clock.now()],
    ])
  })
})

async function until(done: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  while (!done()) {
    if (Date.now() > deadline)
      throw new Error(`never came true: ${JSON.stringify(texts())} ${troubles.join()}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
