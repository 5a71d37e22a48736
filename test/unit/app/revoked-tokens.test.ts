import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openRevokedTokens } from '../../../app/revoked-tokens.ts'
import { createManualClock } from '../../../core/clock.ts'

const NOW_MS = Date.parse('2026-08-21T14:00:00Z')

function start() {
  const folder = mkdtempSync(join(tmpdir(), 'gatewatch-revoked-'))
  onTestFinished(() => {
    chmodSync(folder, 0o700)
    rmSync(folder, { recursive: true })
  })
  const clock = createManualClock(NOW_MS)
  return { folder, clock, path: join(folder, 'revoked-tokens'), open: () => openRevokedTokens(folder, clock) }
}

describe('the file of revoked tokens', () => {
  it('is seen by every process of the deployment, and after a restart', () => {
    const { open } = start()
    const [one, other] = [open(), open()]
    expect(other.has('a')).toBe(false)
    one.add('a', NOW_MS + 300_000)
    expect([one.has('a'), other.has('a'), open().has('a'), other.has('b')]).toEqual([true, true, true, false])
    other.add('b', NOW_MS + 300_000)
    expect([one.has('a'), one.has('b')]).toEqual([true, true])
  })

  it('survives what is not a line of it, and does not read a huge one', () => {
    const { open, path } = start()
    const revoked = open()
    revoked.add('a', NOW_MS + 300_000)
    appendFileSync(path, '\0\xff\n{"half": \nb not-a-number\n')
    revoked.add('c', NOW_MS + 300_000)
    expect([open().has('a'), open().has('b'), open().has('c')]).toEqual([true, false, true])
    writeFileSync(path, Buffer.alloc(5 * 1024 ** 2, 'a'))
    expect(open().has('a')).toBe(false)
  })

  it('forgets what is over when it has grown', () => {
    const { open, path, clock } = start()
    writeFileSync(path, Array.from({ length: 10_000 }, (_, index) => `old-${index} ${NOW_MS}\n`).join(''))
    clock.advance(1000)
    const revoked = open()
    revoked.add('new', NOW_MS + 300_000)
    expect(readFileSync(path, 'utf8')).toBe(`new ${NOW_MS + 300_000}\n`)
    expect(revoked.has('new')).toBe(true)
  })

  it('says when a revocation cannot be kept', () => {
    const { open, path } = start()
    mkdirSync(path)
    expect(() => open().add('a', NOW_MS)).toThrowError(/cannot be kept/)
  })
})
