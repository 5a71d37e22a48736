import { hash } from 'node:crypto'
import { accessSync, constants, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GatewatchError, messageOf } from '../core/errors.ts'

const WEB = fileURLToPath(new URL('../dashboards/web/', import.meta.url))

/** Beside the build: the hash of the sources that it was made of. */
const MADE_OF = 'made-of'

/**
 * The folder of the built dashboard. The packed program carries it. In a clone it is built on the first start, and anew
 * when its sources have changed: an old page does not know how a newer API signs it in. Where this user may not write to
 * the clone it is built into the data folder.
 * @param options.web source of the dashboard
 * @throws GatewatchError `internal` when it cannot be built
 */
export async function dashboardFolder(options: {
  readonly data: string
  readonly note: (text: string) => void
  readonly web?: string
}): Promise<string> {
  const { data, note, web = WEB } = options
  const shipped = join(web, 'dist')
  const sources = hashOfSources(web)
  if (sources === undefined || isMadeOf(shipped, sources)) return shipped
  const mayWrite = isWritable(web)
  const folder = mayWrite ? shipped : join(data, 'dashboard')
  if (isMadeOf(folder, sources)) return folder
  note(
    `building the dashboard ${mayWrite ? '(first start, or its sources have changed)' : `into ${folder}: ${web} is read-only`} …`,
  )
  try {
    const { build } = await import('vite')
    await build({
      configFile: join(web, 'vite.config.ts'),
      // The other loaders write what they make of the configuration into node_modules.
      configLoader: 'native',
      logLevel: 'error',
      build: { outDir: folder, emptyOutDir: true },
    })
    writeFileSync(join(folder, MADE_OF), `${sources}\n`)
  } catch (cause) {
    throw new GatewatchError('internal', `The dashboard does not build: ${messageOf(cause)}`, {
      cause,
      remedy:
        'Run npm ci, which installs what the build needs, or build it once where that is done: npx vite build --config dashboards/web/vite.config.ts',
    })
  }
  return folder
}

/** Of everything that a build is made of, but its libraries; undefined where there are no sources: in the packed program. */
function hashOfSources(web: string): string | undefined {
  if (!existsSync(join(web, 'vite.config.ts'))) return undefined
  const files = readdirSync(web, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((file) => !file.startsWith(join(web, 'dist')))
    .sort()
  return hash(
    'sha256',
    JSON.stringify(files.map((file) => [file.slice(web.length), readFileSync(file, 'utf8')])),
  )
}

function isMadeOf(folder: string, sources: string): boolean {
  if (!existsSync(join(folder, 'index.html')) || !existsSync(join(folder, MADE_OF))) return false
  return readFileSync(join(folder, MADE_OF), 'utf8').trim() === sources
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}
