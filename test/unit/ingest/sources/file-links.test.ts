import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createManualClock } from '../../../../core/clock.ts'
import { createFileFollower } from '../../../../ingest/sources/file-follow.ts'
import { createFileLinks } from '../../../../ingest/sources/file-links.ts'
import { openFilePositions } from '../../../../ingest/sources/file-positions.ts'

let folder: string
const at = (...names: string[]) => join(folder, ...names)

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-links-'))
  for (const name of ['logs', 'logs/old', 'pods', 'other', 'data', 'data/credentials'])
    await mkdir(at(name), { recursive: true })
  for (const name of ['logs/a.log', 'logs/old/b.log', 'pods/c.log', 'other/d.log'])
    await writeFile(at(name), `${name}\n`)
  await writeFile(at('data/credentials/api-key'), 'gw_key\n')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const look = async (name: string, followed: string, linksTo: readonly string[] = []) => {
  const links = createFileLinks([at('data')])
  const { facts, refusal } = await links.look(at(name), {
    path: at(followed),
    linksTo: linksTo.map((each) => at(each)),
  })
  return refusal ?? (facts === undefined ? 'no file' : 'file')
}

describe('what is looked at', () => {
  it('is a file of the folder, also by a link that stays in it', async () => {
    await symlink('old/b.log', at('logs/b.log'))
    await symlink(at('logs'), at('by-link'))
    expect(await look('logs/a.log', 'logs')).toBe('file')
    expect(await look('logs/b.log', 'logs')).toBe('file')
    expect(await look('logs/b.log', 'logs/*.log')).toBe('file')
    expect(await look('logs/a.log', 'logs/a.log')).toBe('file')
    // Who names a link to a folder means the folder.
    expect(await look('by-link/a.log', 'by-link')).toBe('file')
    expect(await look('by-link/b.log', 'by-link')).toBe('file')
  })

  it('is no folder, and nothing that is not there', async () => {
    await symlink(at('nowhere'), at('logs/gone.log'))
    expect(await look('logs/old', 'logs')).toBe('no file')
    expect(await look('logs/gone.log', 'logs')).toBe('no file')
  })

  it('is not what a link out of the folder leads to, unless it leads where it may', async () => {
    await symlink(at('pods/c.log'), at('logs/c.log'))
    await symlink(at('pods'), at('logs/pods'))
    await symlink(at('logs/c.log'), at('logs/twice.log'))
    for (const name of ['logs/c.log', 'logs/twice.log', 'logs/pods/c.log']) {
      expect(await look(name, 'logs')).toContain('out of the folder')
      expect(await look(name, 'logs/**/*.log')).toContain('out of the folder')
      expect(await look(name, 'logs', ['other'])).toContain('out of the folder')
      expect(await look(name, 'logs', ['pods'])).toBe('file')
    }
    expect(await look('logs/c.log', 'logs/c.log')).toContain('out of the folder')
    // A folder whose name begins like that of another.
    await mkdir(at('logs-of-others'))
    await writeFile(at('logs-of-others/e.log'), 'e\n')
    await symlink(at('logs-of-others/e.log'), at('logs/e.log'))
    expect(await look('logs/e.log', 'logs')).toContain('out of the folder')
  })

  it('is never a file of gatewatch, by whatever name', async () => {
    await symlink(at('data/credentials/api-key'), at('logs/key.log'))
    await link(at('data/credentials/api-key'), at('logs/hard.log'))
    expect(await look('logs/key.log', 'logs', ['data', '.'])).toContain('of gatewatch itself')
    expect(await look('data/credentials/api-key', 'data/credentials')).toContain('of gatewatch itself')
    const links = createFileLinks([at('data'), at('data/credentials')])
    expect(await links.look(at('logs/hard.log'), { path: at('logs') })).toEqual({
      refusal: 'it is another name of a file of gatewatch itself',
    })
  })
})

it('is left out and named once, while the rest is read', async () => {
  await symlink(at('other/d.log'), at('logs/d.log'))
  const read: string[] = []
  const said: string[] = []
  const clock = createManualClock(Date.now() + 60_000)
  const follower = createFileFollower({
    paths: [{ path: at('logs'), tenant: 't' }],
    positions: await openFilePositions(at('state')),
    take: async (records) => void read.push(...records.map(({ value }) => Buffer.from(value).toString())),
    own: [at('data')],
    clock,
    onTrouble: (message) => said.push(message),
  })
  for (let looks = 0; looks < 3; looks++) await follower.look()
  expect(read).toEqual(['logs/a.log'])
  expect(said).toEqual([expect.stringContaining('d.log is left out: it is a link')])
  expect(follower.status()).toMatchObject({
    leftOut: [expect.stringContaining('d.log')],
    lastError: undefined,
  })
  await rm(at('logs/d.log'))
  await writeFile(at('logs/d.log'), 'mended\n')
  for (let looks = 0; looks < 3; looks++) await follower.look()
  expect(read).toEqual(['logs/a.log', 'mended'])
  expect(follower.status().leftOut).toEqual([])
  await follower.stop()
})
