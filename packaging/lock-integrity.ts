import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

/**
 * What the lock has no sum of. `npm ci` takes such a package as the registry sends it, whatever it is: so each is either
 * given its sum (`node packaging/lock-integrity.ts --fill` asks the registry for it), or named in `unverified-packages.json`
 * by somebody who looked, with the reason.
 */
export interface SummedLock {
  readonly packages: Readonly<
    Record<string, { readonly version?: string; readonly integrity?: string; readonly link?: boolean }>
  >
}

/** `name@version` → why it has no sum. */
export type Unverified = Readonly<Record<string, string>>

const INTEGRITY = /^sha512-[A-Za-z0-9+/]{86}==$/

/** `name@version` of each entry without a SHA-512 sum. */
export const withoutSum = ({ packages }: SummedLock): string[] =>
  Object.entries(packages).flatMap(([path, { version, integrity, link }]) =>
    path === '' || link || INTEGRITY.test(integrity ?? '') ? [] : [`${nameOf(path)}@${version ?? '?'}`],
  )

/** What is wrong: packages that nobody looked at, and reasons for packages that need none any more. */
export function integrityFaults(lock: SummedLock, unverified: Unverified): string[] {
  const missing = new Set(withoutSum(lock))
  return [
    ...[...missing]
      .filter((name) => unverified[name] === undefined)
      .map(
        (name) => `${name} has no sum in package-lock.json, and is not in packaging/unverified-packages.json`,
      ),
    ...Object.keys(unverified)
      .filter((name) => !missing.has(name))
      .map((name) => `${name} is in packaging/unverified-packages.json for nothing`),
  ]
}

const nameOf = (path: string): string =>
  path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)

if (import.meta.main) {
  const file = new URL('../package-lock.json', import.meta.url)
  const lock = JSON.parse(readFileSync(file, 'utf8')) as SummedLock
  if (process.argv.includes('--fill')) {
    const packages = Object.fromEntries(
      Object.entries(lock.packages).map(([path, entry]) => {
        const name = `${nameOf(path)}@${entry.version ?? ''}`
        if (!withoutSum({ packages: { [path]: entry } }).includes(name)) return [path, entry]
        const integrity = sumOf(name)
        if (integrity === undefined) return [path, entry]
        const { version, ...others } = entry
        return [path, { version, integrity, ...others }]
      }),
    )
    writeFileSync(file, `${JSON.stringify({ ...lock, packages }, null, 2)}\n`)
  }
  const unverified = JSON.parse(
    readFileSync(new URL('unverified-packages.json', import.meta.url), 'utf8'),
  ) as Unverified
  const now = JSON.parse(readFileSync(file, 'utf8')) as SummedLock
  const faults = integrityFaults(now, unverified)
  for (const fault of faults) process.stderr.write(`${fault}\n`)
  process.stdout.write(
    `${withoutSum(now).length} packages without a sum, ${faults.length} of them unexplained\n`,
  )
  process.exitCode = faults.length === 0 ? 0 : 1
}

/** What the registry in use says of a package; `undefined` where it does not have it. */
function sumOf(name: string): string | undefined {
  try {
    const said = execFileSync('npm', ['view', name, 'dist.integrity'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 60_000,
    }).trim()
    return INTEGRITY.test(said) ? said : undefined
  } catch {
    return undefined
  }
}
