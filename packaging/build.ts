import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/**
 * Makes `dist/`, the program as it is packed: Node does not strip types below `node_modules`, so the sources become
 * JavaScript, in the same folders, with the files beside them that they read at run time.
 */
const ROOT = fileURLToPath(new URL('../', import.meta.url))
const DIST = join(ROOT, 'dist')
const FOLDERS = ['core', 'ingest', 'store', 'detectors', 'alerts', 'integrity', 'api', 'app']
const require = createRequire(import.meta.url)

rmSync(DIST, { recursive: true, force: true })
compile()
for (const folder of FOLDERS.filter((name) => existsSync(join(ROOT, name)))) copyAssets(folder)
await buildDashboard()
writePackageFile()

function compile(): void {
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc')
  execFileSync(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.build.json')], { stdio: 'inherit' })
}

// Migrations, rules, catalogues, generated parsers: everything that is not compiled or for people.
function copyAssets(folder: string): void {
  cpSync(join(ROOT, folder), join(DIST, folder), {
    recursive: true,
    filter: (path) => statSync(path).isDirectory() || !/\.(ts|md|peggy)$/.test(basename(path)),
  })
}

async function buildDashboard(): Promise<void> {
  const web = join(ROOT, 'dashboards', 'web')
  if (!existsSync(join(web, 'vite.config.ts'))) return
  const { build } = (await import(pathToFileURL(require.resolve('vite')).href)) as typeof import('vite')
  await build({ configFile: join(web, 'vite.config.ts'), logLevel: 'warn' })
  const target = join(DIST, 'dashboards', 'web', 'dist')
  mkdirSync(dirname(target), { recursive: true })
  cpSync(join(web, 'dist'), target, { recursive: true })
  const grafana = join(ROOT, 'dashboards', 'grafana')
  if (existsSync(grafana)) cpSync(grafana, join(DIST, 'dashboards', 'grafana'), { recursive: true })
}

// So that a file finds the package's name and version at the same distance in a clone and in a package.
function writePackageFile(): void {
  const { name, version, type } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
    string,
    unknown
  >
  writeFileSync(join(DIST, 'package.json'), `${JSON.stringify({ name, version, type, private: true })}\n`)
}
