import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parse } from 'yaml'
import { sha256, sumIn } from '../../../packaging/check-node.ts'
import {
  integrityFaults,
  type SummedLock,
  type Unverified,
  withoutSum,
} from '../../../packaging/lock-integrity.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const text = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const lock = JSON.parse(text('package-lock.json')) as SummedLock
const unverified = JSON.parse(text('packaging/unverified-packages.json')) as Unverified

const SUM = `sha512-${'A'.repeat(86)}==`

describe('the lock', () => {
  it('has a sum of every package but those that somebody looked at', () => {
    expect(integrityFaults(lock, unverified)).toEqual([])
  })

  it('names what has none, or a weak one', () => {
    const packages = {
      '': { version: '1.0.0' },
      'node_modules/a': { version: '1.0.0', integrity: SUM },
      'node_modules/b': { version: '1.0.0' },
      'node_modules/b/node_modules/@c/d': {
        version: '2.0.0',
        integrity: 'sha1-qUIzrSmXyyw2kuhrwKJhXh7UrmE=',
      },
      'node_modules/linked': { link: true },
    }
    expect(withoutSum({ packages })).toEqual(['b@1.0.0', '@c/d@2.0.0'])
    expect(integrityFaults({ packages }, { 'b@1.0.0': 'known', 'a@1.0.0': 'was known' })).toEqual([
      expect.stringMatching(/^@c\/d@2\.0\.0 has no sum/),
      expect.stringMatching(/^a@1\.0\.0 .* for nothing/),
    ])
  })

  it('leads to npm’s registry only', () => {
    for (const [path, entry] of Object.entries(lock.packages)) {
      const { resolved } = entry as { resolved?: string }
      if (resolved !== undefined)
        expect([path, resolved]).toEqual([path, expect.stringMatching(/^https:\/\/registry\.npmjs\.org\//)])
    }
  })
})

describe('the Node of the lock', () => {
  it('has its sum looked up by the whole name of its archive', () => {
    const sums = `${'a'.repeat(64)}  node-v24.0.0-linux-x64.tar.xz\n${'b'.repeat(64)}  node-v24.0.0-linux-x64.tar.gz\n`
    expect(sumIn(sums, 'node-v24.0.0-linux-x64.tar.xz')).toBe('a'.repeat(64))
    expect(sumIn(sums, 'node-v24.0.0-linux-arm64.tar.xz')).toBeUndefined()
    expect(sumIn(`${sums}${sums}`, 'node-v24.0.0-linux-x64.tar.xz')).toBeUndefined()
  })

  it('is refused when an archive with the right sum holds another one', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatewatch-node-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const installed = join(ROOT, 'node_modules', `node-linux-${process.arch}`, 'package.json')
    const { version } = JSON.parse(readFileSync(installed, 'utf8')) as { version: string }
    const name = `node-v${version}-linux-${process.arch}`
    mkdirSync(join(folder, name, 'bin'), { recursive: true })
    writeFileSync(join(folder, name, 'bin', 'node'), 'another one')
    execFileSync('tar', ['-cJf', `${name}.tar.xz`, name], { cwd: folder })
    const archive = join(folder, `${name}.tar.xz`)
    const run = (sum: string) => {
      writeFileSync(join(folder, 'sums'), `${sum}  ${name}.tar.xz\n`)
      try {
        const script = join(ROOT, 'packaging', 'check-node.ts')
        execFileSync(process.execPath, [script, '--archive', archive, '--sums', join(folder, 'sums')], {
          stdio: 'pipe',
        })
        return 'accepted'
      } catch (error) {
        return String((error as { stderr: Buffer }).stderr)
      }
    }
    expect(run(sha256(readFileSync(archive)))).toMatch(/is not the Node that nodejs\.org publishes/)
    expect(run('0'.repeat(64))).toMatch(/is not what SHASUMS256\.txt says/)
  })
})

describe('what tells others about the supply chain', () => {
  it('has a way to report, and an update policy for every ecosystem', () => {
    expect(text('SECURITY.md')).toMatch(/## Reporting/)
    const { updates } = parse(text('.github/dependabot.yml')) as {
      updates: { 'package-ecosystem': string; cooldown?: object }[]
    }
    expect(updates.map((update) => update['package-ecosystem']).sort()).toEqual([
      'docker',
      'docker-compose',
      'github-actions',
      'npm',
    ])
    for (const update of updates) expect(update.cooldown).toBeDefined()
  })
})
