import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createManualClock } from '../../../core/clock.ts'
import { openIdempotencyKeys } from '../../../ingest/idempotency.ts'
import { openFilePositions } from '../../../ingest/sources/file-positions.ts'
import { openFileRegistry } from '../../../ingest/sources/file-registry.ts'
import { recordsOfBody } from '../../../ingest/sources/http.ts'
import type { SetAside } from '../../../ingest/state-file.ts'

const clock = createManualClock(Date.parse('2026-08-21T14:00:00Z'))
const KEYS = '001787320800000.keys'
let folder: string
let noted: SetAside[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-state-'))
  noted = []
})
afterEach(() => rm(folder, { recursive: true, force: true }))
const note = (file: SetAside) => noted.push(file)

/** A file that takes no room: the disk has to hold nothing of it. */
async function writeHuge(name: string, bytes: number): Promise<void> {
  const file = await open(join(folder, name), 'w')
  await file.truncate(bytes)
  await file.close()
}

const openers = {
  'the keys of idempotency': {
    file: KEYS,
    start: async () => (await openIdempotencyKeys({ folder, clock, noteSetAside: note })).close(),
  },
  'the positions of followed files': {
    file: 'positions.json',
    start: async () => void (await openFilePositions(folder, 'positions.json', note)),
  },
  'the files that were read': {
    file: 'read-files.jsonl',
    start: async () => void (await openFileRegistry(folder, undefined, note)),
  },
}

describe.each(Object.entries(openers))('a start with %s', (_, { file, start }) => {
  it('of 600 MB goes on without them, and says so', async () => {
    await writeHuge(file, 600 * 1024 ** 2)
    await start()
    expect(noted.map(({ path }) => path)).toEqual([join(folder, file)])
    expect(await readdir(folder)).toContain(`${file}.damaged`)
  })

  it.each([
    '',
    '\0\0\0\0',
    '{"files":[{"path":',
    '{"files":7}',
    '[1,2',
    'null',
    '{"files":[null]}\n{"id":1}',
  ])('that hold %j goes on', async (content) => {
    await writeFile(join(folder, file), content)
    await start()
  })
})

it('keeps no more of the answers than there is room for, in memory and on disk', async () => {
  const maxBytes = 100_000
  const open_ = () => openIdempotencyKeys({ folder, clock, maxBytes, noteSetAside: note })
  const keys = await open_()
  let attempts = 0
  const ask = (to: typeof keys, number: number) =>
    to.run({ id: String(number).padStart(32, '0'), fingerprint: 'body' }, async () => {
      attempts++
      clock.advance(1)
      return { text: 'x'.repeat(5000) }
    })
  for (let number = 0; number < 200; number++) await ask(keys, number)
  expect((await ask(keys, 199)).repeated).toBe(true)
  expect((await ask(keys, 0)).repeated).toBe(false)
  await keys.close()
  let bytes = 0
  for (const name of await readdir(folder)) {
    const file = await open(join(folder, name))
    bytes += (await file.stat()).size
    await file.close()
  }
  expect(bytes).toBeLessThan(2 * maxBytes)
  const again = await open_()
  expect((await ask(again, 199)).repeated).toBe(true)
  await again.close()
  expect(attempts).toBe(201)
  expect(noted).toEqual([])
})

it('refuses a body of too many records before it has made them', () => {
  const body = Buffer.from('{}\n'.repeat(7_000_000))
  const split = () => recordsOfBody({ body, headers: {}, tenant: 'acme', nowMs: 0, reserve: () => 0 })
  expect(split).toThrow(expect.objectContaining({ code: 'payload_too_large' }))
})
