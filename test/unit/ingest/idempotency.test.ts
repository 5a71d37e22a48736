import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createManualClock } from '../../../core/clock.ts'
import { GatewatchError } from '../../../core/errors.ts'
import { type IdempotencyKeys, openIdempotencyKeys } from '../../../ingest/idempotency.ts'

const HOUR_MS = 3_600_000
const clock = createManualClock(Date.parse('2026-08-21T14:00:00Z'))
const request = { id: 'a1'.repeat(16), fingerprint: 'body' }

let folder: string
let keys: IdempotencyKeys
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-keys-'))
  keys = await openIdempotencyKeys({ folder, clock })
})
afterEach(async () => {
  await keys.close()
  await rm(folder, { recursive: true, force: true })
})

const reopen = async () => {
  await keys.close()
  keys = await openIdempotencyKeys({ folder, clock })
}

const counted = (answer: unknown = { stored: 1 }) => {
  const begun: number[] = []
  return {
    begun,
    attempt: async (begunAtMs: number) => {
      begun.push(begunAtMs)
      return answer
    },
  }
}

it('does a request once and repeats its answer, also after a restart', async () => {
  const { begun, attempt } = counted({ stored: 7 })
  expect(await keys.run(request, attempt)).toEqual({ answer: { stored: 7 }, repeated: false })
  expect(await keys.run(request, attempt)).toEqual({ answer: { stored: 7 }, repeated: true })
  await reopen()
  expect(await keys.run(request, attempt)).toEqual({ answer: { stored: 7 }, repeated: true })
  expect(begun).toHaveLength(1)
})

it('gives requests that come together the one answer', async () => {
  let finish = (_answer: string) => {}
  let attempts = 0
  const attempt = () => {
    attempts++
    return new Promise<string>((resolve) => {
      finish = resolve
    })
  }
  const both = [keys.run(request, attempt), keys.run(request, attempt)]
  while (attempts === 0) await new Promise(setImmediate)
  finish('done')
  expect(await Promise.all(both)).toEqual([
    { answer: 'done', repeated: false },
    { answer: 'done', repeated: true },
  ])
  expect(attempts).toBe(1)
})

it('refuses another request under the same key, also while the first is unfinished', async () => {
  const other = { ...request, fingerprint: 'another body' }
  const failing = async () => {
    throw new GatewatchError('overloaded', 'full')
  }
  await expect(keys.run(request, failing)).rejects.toMatchObject({ code: 'overloaded' })
  await expect(keys.run(other, counted().attempt)).rejects.toMatchObject({ code: 'idempotency_mismatch' })
  await reopen()
  await expect(keys.run(other, counted().attempt)).rejects.toMatchObject({ code: 'idempotency_mismatch' })
})

it('lets an attempt that failed be made again, as of the time of the first', async () => {
  const first = clock.now()
  const failing = async () => {
    throw new GatewatchError('overloaded', 'full')
  }
  await expect(keys.run(request, failing)).rejects.toMatchObject({ code: 'overloaded' })
  clock.advance(HOUR_MS)
  await reopen()
  const { begun, attempt } = counted()
  expect(await keys.run(request, attempt)).toMatchObject({ repeated: false })
  expect(begun).toEqual([first])
})

it('is begun on disk before anything is done: a crash in between repeats it as of the same time', async () => {
  const first = clock.now()
  void keys.run(request, () => new Promise(() => {}))
  while ((await readdir(folder)).length === 0) await new Promise(setImmediate)
  await new Promise((resolve) => setTimeout(resolve, 50))
  clock.advance(5000)
  const after = await openIdempotencyKeys({ folder, clock })
  const { begun, attempt } = counted()
  expect(await after.run(request, attempt)).toMatchObject({ repeated: false })
  expect(begun).toEqual([first])
  await after.close()
})

it('forgets after a day, and removes the files', async () => {
  const { begun, attempt } = counted()
  await keys.run(request, attempt)
  const [old] = await readdir(folder)
  clock.advance(25 * HOUR_MS)
  await keys.run(request, attempt)
  expect(begun).toHaveLength(2)
  clock.advance(3 * HOUR_MS)
  await keys.run({ ...request, id: 'b2'.repeat(16) }, attempt)
  expect(await readdir(folder)).not.toContain(old)
  await reopen()
  await keys.run(request, attempt)
  expect(begun).toHaveLength(3)
})

it('forgets the oldest first when there are too many', async () => {
  const few = await openIdempotencyKeys({ folder: join(folder, 'few'), clock, maxKeys: 2 })
  const { begun, attempt } = counted()
  for (const id of ['1', '2', '3', '4', '4', '1']) await few.run({ id, fingerprint: 'x' }, attempt)
  expect(begun).toHaveLength(5)
  await few.close()
})

it('reads on after a line that a crash left torn', async () => {
  const { attempt } = counted()
  await keys.run(request, attempt)
  await keys.close()
  const [name = ''] = await readdir(folder)
  await appendFile(join(folder, name), '{"id":"torn","finge')
  keys = await openIdempotencyKeys({ folder, clock })
  await keys.run({ id: 'c3', fingerprint: 'x' }, attempt)
  await reopen()
  expect(await keys.run({ id: 'c3', fingerprint: 'x' }, attempt)).toMatchObject({ repeated: true })
  expect(await keys.run(request, attempt)).toMatchObject({ repeated: true })
})
