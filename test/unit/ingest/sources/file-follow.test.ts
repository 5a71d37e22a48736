import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  truncate,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
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

/** Writes, as of now by the clock of the test. */
const writeNow = async (name: string, content: string | Uint8Array) => {
  await writeFile(path(name), content)
  await utimes(path(name), clock.now() / 1000, clock.now() / 1000)
}
const appendNow = async (name: string, content: string | Uint8Array) => {
  await appendFile(path(name), content)
  await utimes(path(name), clock.now() / 1000, clock.now() / 1000)
}
/** Time passes in which nobody writes; looks in between and at the end. */
const rest = async (ms: number) => {
  for (let second = 0; second < ms; second += 1000) {
    clock.advance(Math.min(1000, ms - second))
    await settle()
  }
}
const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `{"n": ${from + index}}\n`).join('')
const numbers = () => texts().map((text) => JSON.parse(text).n as number)
const upTo = (end: number) => Array.from({ length: end }, (_, index) => index)

describe.each([
  ['log.gz', gzipSync],
  ['log.zst', zstdCompressSync],
])('a packed file: %s', (name, pack) => {
  it('is offered again when its records are refused, for whatever reason', async () => {
    await writeNow(name, pack(lines(0, 12_000)))
    await open('')
    let sends = 0
    // The first send fails, and one in the middle.
    refuse = () => {
      if ([0, 2].includes(sends++)) throw new GatewatchError('unauthenticated', 'the key was changed')
    }
    await rest(70_000)
    expect(numbers()).toEqual(upTo(12_000))
    // Said once, as long as it is the same.
    expect(troubles).toEqual(['the key was changed'])
    expect(sends).toBeGreaterThan(3)
    expect(follower.status().lastError).toBeUndefined()
  })

  it('is offered again after a restart, when the first run could not send it', async () => {
    await writeNow(name, pack(lines(0, 10)))
    await open('')
    refuse = () => {
      throw new Error('fetch failed')
    }
    await rest(5000)
    await follower.stop()
    refuse = undefined
    await open('')
    await rest(5000)
    expect(numbers()).toEqual(upTo(10))
  })

  it('is read to its end when it was copied slowly, and each line once', async () => {
    const packed = pack(lines(0, 30_000))
    await open('')
    await writeNow(name, packed.subarray(0, packed.length >> 1))
    await rest(10_000)
    await writeNow(name, packed.subarray(0, packed.length - 10))
    await rest(10_000)
    expect(numbers()).toEqual(upTo(taken.length))
    expect(follower.status().waitingBytes).toBeGreaterThan(0)
    await writeNow(name, packed)
    await rest(10_000)
    expect(numbers()).toEqual(upTo(30_000))
    expect(troubles).toEqual([])
    expect(follower.status().waitingBytes).toBe(0)
  })
})

describe.each([
  ['app.log.gz', gzipSync],
  ['app.log.zst', zstdCompressSync],
])('a packed file of several pieces: %s', (name, pack) => {
  it('is read on when more is appended to it, also after a restart', async () => {
    await writeNow(name, pack(lines(0, 10)))
    await open('')
    await rest(5000)
    await follower.stop()
    await appendNow(name, pack(lines(10, 20)))
    await open('')
    await rest(5000)
    expect(numbers()).toEqual(upTo(20))
    await rest(100_000)
    expect(numbers()).toEqual(upTo(20))
  })

  it('is read now and then while it never rests', async () => {
    await open('')
    let written = 0
    for (let second = 0; second < 130; second++) {
      await appendNow(name, pack(lines(written, ++written)))
      clock.advance(1000)
      await settle()
    }
    expect(taken.length).toBeGreaterThan(100)
    expect(numbers()).toEqual(upTo(taken.length))
  })
})

describe('JSON', () => {
  it('with a record a line is followed line by line, whatever its name says', async () => {
    await open('')
    for (let second = 0; second < 10; second++) {
      await appendNow('audit.json', lines(second, second + 1))
      await settle()
      clock.advance(1000)
    }
    expect(numbers()).toEqual(upTo(10))
    await rename(path('audit.json'), path('audit.json.1'))
    await appendNow('audit.json.1', lines(10, 11))
    await appendNow('audit.json', lines(100, 101))
    await settle()
    expect(numbers().sort((a, b) => a - b)).toEqual([...upTo(11), 100])
  })

  it.each([
    ['the first record', '', 0],
    ['a later one', lines(0, 1), 1],
  ])('is not cut where its writer pauses in %s', async (_, before, number) => {
    await open('')
    const [begin, end] = [lines(number, number + 1).slice(0, 5), lines(number, number + 1).slice(5)]
    await writeNow('audit.json', before + begin)
    await rest(6000)
    await appendNow('audit.json', end + lines(number + 1, number + 2))
    await rest(6000)
    expect(numbers()).toEqual(upTo(number + 2))
  })

  it('of one line without an end is read when it rests, and read on as a log', async () => {
    await open('')
    await writeNow('one.json', '{"n": 0}')
    await rest(3000)
    expect(numbers()).toEqual([0])
    await appendNow('one.json', '\n{"n": 1}\n')
    await rest(3000)
    expect(numbers()).toEqual([0, 1])
  })

  it('in an array is read on when it grows', async () => {
    await open('')
    await writeNow('all.json', '[\n{"n": 0},\n{"n": 1}')
    await rest(3000)
    await writeNow('all.json', '[\n{"n": 0},\n{"n": 1},\n{"n": 2}\n]\n')
    await rest(3000)
    await writeNow('all.json', '[\n{"n": 0},\n{"n": 1},\n{"n": 2},\n{"n": 3}\n]\n')
    await rest(100_000)
    expect(numbers()).toEqual(upTo(4))
  })

  it('that is written anew in place is read anew', async () => {
    await open('')
    await writeNow('state.json', '{\n  "n": 0\n}\n')
    await rest(3000)
    await writeNow('state.json', '{\n  "n": 1, "more": true\n}\n')
    await rest(3000)
    expect(numbers()).toEqual([0, 1])
    expect(new Set(taken.map(({ topic, offset }) => `${topic} ${offset}`)).size).toBe(2)
  })

  it('that stays broken off is taken as it is in the end', async () => {
    await open('')
    await writeNow('torn.json', '{"n": 0')
    await rest(30_000)
    expect(texts()).toEqual([])
    expect(follower.status().waitingBytes).toBe(7)
    await rest(60_000)
    expect(texts()).toEqual(['{"n": 0'])
    expect(follower.status().waitingBytes).toBe(0)
  })

  it('that an earlier version had read as a document is read on where that was', async () => {
    await writeNow('audit.json', lines(0, 3))
    await open('')
    await settle()
    await follower.stop()
    const state = join(folder, 'state', 'positions.json')
    const { files } = JSON.parse(await readFile(state, 'utf8'))
    // One byte behind the beginning of the last record, and no checksum.
    Object.assign(files[0], { offset: taken[2]!.offset + 1, crc: 0, done: true })
    await writeFile(state, JSON.stringify({ files }))
    await appendNow('audit.json', lines(3, 5))
    await open('')
    await settle()
    expect(numbers()).toEqual(upTo(5))
    expect(new Set(taken.map(({ topic }) => topic)).size).toBe(1)
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
