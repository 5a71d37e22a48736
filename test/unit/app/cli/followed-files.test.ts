import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { checkFollowed } from '../../../../app/cli/followed-files.ts'
import { loadConfig } from '../../../../app/config/config.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-followed-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const check = (path: string) =>
  checkFollowed(join(folder, path), { field: 'files.0.path', at: 'gatewatch.yaml:2' })

it('counts the files of a path, a folder and a pattern', async () => {
  await writeFile(join(folder, 'a.log'), '')
  await writeFile(join(folder, 'b.log'), '')
  await writeFile(join(folder, '.hidden'), '')
  expect(await check('a.log')).toBe('1 file')
  expect(await check('*.log')).toBe('2 files')
  expect(await check('')).toBe('2 files')
})

it.each([
  ['a file that is not there', 'none.log', 'No file is there.'],
  ['a pattern that nothing matches', '*.nothing', 'No file is there.'],
  ['an empty folder', 'empty', 'No file is there.'],
  ['a file in what is no folder', 'plain/inner.log', 'Nothing can be read there: ENOTDIR'],
  ['a link that leads to itself', 'loop', 'Nothing can be read there: ELOOP'],
])('warns of %s, with the setting and its place', async (_, path, said) => {
  await mkdir(join(folder, 'empty'))
  await writeFile(join(folder, 'plain'), '')
  await symlink(join(folder, 'loop'), join(folder, 'loop'))
  const found = await check(path)
  expect(found).toEqual({ warning: expect.stringContaining(said) })
  expect(found).toEqual({ warning: expect.stringMatching(/^gatewatch\.yaml:2: files\.0\.path: /) })
})

it('has the place from the configuration', async () => {
  const config = join(folder, 'gatewatch.yaml')
  await writeFile(config, 'listen: { port: 1 }\nfiles:\n  - { path: a.log }\n  - { path: b.log }\n')
  const { files } = loadConfig({ config, data: join(folder, 'data') })
  expect(files.map(({ place }) => place)).toEqual([
    { field: 'files.0.path', at: `${config}:3` },
    { field: 'files.1.path', at: `${config}:4` },
  ])
})
