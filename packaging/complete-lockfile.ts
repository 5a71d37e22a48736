import { readFileSync, writeFileSync } from 'node:fs'

/**
 * Completes `package-lock.json` after an `npm install`. Where the registry in use lacks the packages of other
 * platforms, npm leaves them out of the lock, and `npm ci` then refuses the lock everywhere. They are added by name and
 * version; npm skips those that do not fit the machine.
 */
export interface LockedPackage {
  readonly version?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly os?: readonly string[]
  readonly cpu?: readonly string[]
  readonly libc?: readonly string[]
}

export interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>
}

/** The platform packages that the lock speaks of and does not hold, as entries for it. */
export function missingEntries(lock: Lock): Record<string, LockedPackage> {
  const missing: Record<string, LockedPackage> = {}
  for (const parent of Object.values(lock.packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      const path = `node_modules/${name}`
      const platform = platformOf(name)
      if (platform === undefined || path in lock.packages) continue
      missing[path] = { version, ...(parent.dev ? { dev: true } : {}), optional: true, ...platform }
    }
  }
  return missing
}

function platformOf(name: string): Pick<LockedPackage, 'os' | 'cpu' | 'libc'> | undefined {
  const words = name.split(/[-/]/)
  const os = words.find((word) => ['android', 'darwin', 'linux', 'win32', 'freebsd'].includes(word))
  const cpu = words.find((word) => ['arm64', 'x64', 'arm', 'ia32'].includes(word))
  if (os === undefined || cpu === undefined) return undefined
  const libc = words.includes('musl') ? 'musl' : words.includes('gnu') ? 'glibc' : undefined
  return { cpu: [cpu], ...(libc ? { libc: [libc] } : {}), os: [os] }
}

if (import.meta.main) {
  const file = new URL('../package-lock.json', import.meta.url)
  const lock = JSON.parse(readFileSync(file, 'utf8')) as Lock
  const packages = Object.entries({ ...lock.packages, ...missingEntries(lock) })
  packages.sort(([a], [b]) => (a < b ? -1 : 1))
  const completed = { ...lock, packages: Object.fromEntries(packages) }
  writeFileSync(file, `${JSON.stringify(completed, null, 2)}\n`)
}
