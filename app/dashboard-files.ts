import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { GatewatchError, messageOf } from '../core/errors.ts'

const WEB = new URL('../dashboards/web/', import.meta.url)

/**
 * The folder of the built dashboard. In a clone it is built on the first start; the packed program carries it.
 * @throws GatewatchError `internal` when it cannot be built
 */
export async function dashboardFolder(note: (text: string) => void): Promise<string> {
  const folder = fileURLToPath(new URL('dist/', WEB))
  if (existsSync(new URL('dist/index.html', WEB))) return folder
  note('building the dashboard (first start only) …')
  try {
    const { build } = await import('vite')
    await build({ configFile: fileURLToPath(new URL('vite.config.ts', WEB)), logLevel: 'error' })
  } catch (cause) {
    throw new GatewatchError('internal', `The dashboard does not build: ${messageOf(cause)}`, {
      cause,
      remedy: 'Run npm ci, which installs what the build needs, and start again.',
    })
  }
  return folder
}
