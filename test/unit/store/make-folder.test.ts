import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { makeFolder } from '../../../store/make-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'gatewatch-folder-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('makes what is missing, for the owner only, and nothing that is there', () => {
  makeFolder(join(folder, 'a', 'b'))
  makeFolder(join(folder, 'a', 'b'))
  expect(statSync(join(folder, 'a')).mode & 0o777).toBe(0o700)
  expect(statSync(join(folder, 'a', 'b')).isDirectory()).toBe(true)
})

it('refuses a file, and what lies under one', () => {
  writeFileSync(join(folder, 'file'), '')
  expect(() => makeFolder(join(folder, 'file'))).toThrow('is not a folder')
  expect(() => makeFolder(join(folder, 'file', 'deeper'))).toThrow()
})

it.runIf(existsSync('/proc/self'))('gives up at once where no folder can be made', () => {
  expect(() => makeFolder('/proc/gatewatch/store')).toThrow()
})
