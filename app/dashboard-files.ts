import { accessSync, constants, existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GatewatchError, messageOf } from '../core/errors.ts'

const WEB = fileURLToPath(new URL('../dashboards/web/', import.meta.url))

/**
 * The folder of the built dashboard. The packed program carries it. In a clone it is built on the first start; where
 * this user may not write to the clone, into the data folder at every start, so that it is never older than the clone.
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
  if (existsSync(join(shipped, 'index.html'))) return shipped
  const mayWrite = isWritable(web)
  const folder = mayWrite ? shipped : join(data, 'dashboard')
  note(`building the dashboard ${mayWrite ? '(first start only)' : `into ${folder}: ${web} is read-only`} …`)
  try {
    const { build } = await import('vite')
    await build({
      configFile: join(web, 'vite.config.ts'),
      // The other loaders write what they make of the configuration into node_modules.
      configLoader: 'native',
      logLevel: 'error',
      build: { outDir: folder, emptyOutDir: true },
    })
  } catch (cause) {
    throw new GatewatchError('internal', `The dashboard does not build: ${messageOf(cause)}`, {
      cause,
      remedy:
        'Run npm ci, which installs what the build needs, or build it once where that is done: npx vite build --config dashboards/web/vite.config.ts',
    })
  }
  return folder
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}
