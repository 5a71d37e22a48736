import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { type Lock, missingEntries } from '../../../packaging/complete-lockfile.ts'

const lock = JSON.parse(readFileSync(new URL('../../../package-lock.json', import.meta.url), 'utf8')) as Lock
const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))

it('holds the packages of every platform, so that npm ci takes it', () => {
  // If this fails: npm install && npm run lock
  expect(missingEntries(lock)).toEqual({})
})

it('agrees with package.json', () => {
  const { dependencies, optionalDependencies, devDependencies, bin, engines } = manifest
  expect(lock.packages['']).toMatchObject({
    dependencies,
    optionalDependencies,
    devDependencies,
    bin,
    engines,
  })
})

it('finds what is missing', () => {
  const incomplete: Lock = {
    packages: {
      'node_modules/tool': {
        dev: true,
        optionalDependencies: {
          '@tool/linux-x64-musl': '1.0.0',
          '@tool/win32-arm64': '1.0.0',
          plain: '2.0.0',
        },
      },
      'node_modules/@tool/win32-arm64': { version: '1.0.0' },
    },
  }
  expect(missingEntries(incomplete)).toEqual({
    'node_modules/@tool/linux-x64-musl': {
      version: '1.0.0',
      dev: true,
      optional: true,
      cpu: ['x64'],
      libc: ['musl'],
      os: ['linux'],
    },
  })
})
