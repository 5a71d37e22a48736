import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { loadRules } from '../../../../app/wire/rules.ts'

const SHIPPED = new URL('../../../../detectors/rules/volume-spike.yaml', import.meta.url)
const folder = mkdtempSync(join(tmpdir(), 'gatewatch-rules-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('a file that cannot be read is refused by its name, and the other rules are loaded', () => {
  mkdirSync(join(folder, 'a-folder.yaml'))
  symlinkSync(join(folder, 'nowhere'), join(folder, 'b-gone.yaml'))
  writeFileSync(join(folder, 'c-no-rule.yaml'), 'id: [1\n')
  writeFileSync(join(folder, 'd-mine.yaml'), readFileSync(SHIPPED, 'utf8').replace('volume-spike', 'mine'))
  const { rules, errors } = loadRules({ shipped: false, folders: [folder] })
  expect(rules.map(({ id }) => id)).toEqual(['mine'])
  expect(errors.map((error) => [error.code, error.retryable])).toEqual(Array(3).fill(['rule_invalid', false]))
  expect(errors.map((error) => error.toLine())).toEqual([
    expect.stringMatching(/a-folder\.yaml: rule: cannot be read: .*directory.* Let this user read the file/),
    expect.stringMatching(/b-gone\.yaml: rule: cannot be read: no such file.* Let this user read the file/),
    expect.stringMatching(/c-no-rule\.yaml:\d+: rule: is not valid YAML/),
  ])
})

it('a file whose aliases grow beyond measure, or lead back, is refused, and the other rules are loaded', () => {
  const own = join(folder, 'aliases')
  mkdirSync(own)
  const levels = Array.from(
    { length: 8 },
    (_, level) => `b${level}: &b${level} [${`*b${level - 1},`.repeat(9)}]`,
  )
  writeFileSync(join(own, 'a.yaml'), ['b: &b-1 [x]', ...levels].join('\n'))
  writeFileSync(join(own, 'b.yaml'), 'id: &a\n  - *a\n')
  writeFileSync(join(own, 'c.yaml'), readFileSync(SHIPPED, 'utf8'))
  const { rules, errors } = loadRules({ shipped: false, folders: [own] })
  expect(rules.map(({ id }) => id)).toEqual(['volume-spike'])
  expect(errors.map((error) => error.toLine())).toEqual([
    expect.stringMatching(/a\.yaml: rule: is not valid YAML: Excessive alias count.* without aliases/),
    expect.stringMatching(
      /b\.yaml: rule: is not valid YAML: an alias leads back to what it is in.* without aliases/,
    ),
  ])
})
