import type { SourceFile } from './source-graph.ts'

/** The folders of the house; `dashboards/web` is a program of its own. */
export const FOLDERS = [
  'core',
  'ingest',
  'store',
  'detectors',
  'alerts',
  'integrity',
  'api',
  'app',
  'dashboards/web',
] as const

/** Folders each folder may import besides itself: core ← the middle ← app. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  ingest: ['core'],
  store: ['core'],
  detectors: ['core'],
  alerts: ['core'],
  integrity: ['core'],
  api: ['core'],
  app: ['core', 'ingest', 'store', 'detectors', 'alerts', 'integrity', 'api'],
  'dashboards/web': [],
}

/** Clients of the outside world: one file owns each of them. */
const OWNERS: Readonly<Record<string, RegExp>> = {
  '@clickhouse/client': /^store\/clickhouse\.ts$/,
  chdb: /^store\/chdb\.ts$/,
  kafkajs: /^ingest\/sources\/kafka(-[a-z-]+)?\.ts$/,
}

/** What core may have from Node: arithmetic over bytes, nothing that reaches out. */
const PURE_BUILT_INS: ReadonlySet<string> = new Set(['node:crypto', 'node:buffer', 'node:util'])

const VAGUE = /(^|\/)(utils?|common|helpers?|types|misc|shared)(\/|\.[a-z]+$)/

const folderOf = (path: string): string =>
  FOLDERS.find((folder) => path.startsWith(`${folder}/`)) ?? path.split('/')[0] ?? path

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

/** Every breach of the rules of the house, each as one line that says where and what. */
export function breachesOf(files: readonly SourceFile[]): string[] {
  return [
    ...files.flatMap(breachesOfFile),
    ...breachesOfOwners(files),
    ...cyclesOf(new Map(files.map((file) => [file.path, file.imports]))).map(
      (cycle) => `cycle of files: ${cycle.join(' → ')}`,
    ),
    ...cyclesOf(foldersOf(files)).map((cycle) => `cycle of folders: ${cycle.join(' → ')}`),
  ]
}

function breachesOfFile(file: SourceFile): string[] {
  const folder = folderOf(file.path)
  const allowed = MAY_IMPORT[folder] ?? []
  const breaches = file.imports
    .filter((target) => folderOf(target) !== folder && !allowed.includes(folderOf(target)))
    .map(
      (target) => `${file.path} imports ${target}: ${folder} may import ${allowed.join(', ') || 'nothing'}`,
    )
  if (folder === 'core') {
    const reaching = file.packages.filter((name) => name.startsWith('node:') && !PURE_BUILT_INS.has(name))
    breaches.push(...reaching.map((name) => `${file.path} imports ${name}: core does no I/O`))
  }
  if (file.usesProcessEnv && file.path !== 'app/config/config.ts' && folder !== 'dashboards/web') {
    breaches.push(`${file.path} reads process.env: only app/config/config.ts does`)
  }
  if (file.usesConsole && !file.path.startsWith('app/cli/')) {
    breaches.push(`${file.path} uses console: only the output of app/cli does`)
  }
  if (VAGUE.test(file.path)) breaches.push(`${file.path} has a name that says nothing`)
  return breaches
}

function breachesOfOwners(files: readonly SourceFile[]): string[] {
  return Object.entries(OWNERS).flatMap(([client, owner]) => {
    const importers = files.filter((file) => file.packages.some((name) => packageOf(name) === client))
    const foreign = importers.filter((file) => !owner.test(file.path))
    return [
      ...foreign.map((file) => `${file.path} imports ${client}, which another file owns`),
      ...(importers.length > 1
        ? [`${client} is imported by ${importers.map((file) => file.path).join(' and ')}: one file owns it`]
        : []),
    ]
  })
}

// `ingest/formats/x.ts` lies in `ingest/formats`. A file that stands in a folder may use its subfolders, so an edge
// between a folder and one below it is no edge.
function foldersOf(files: readonly SourceFile[]): Map<string, readonly string[]> {
  const graph = new Map<string, string[]>()
  const parentOf = (path: string) => path.slice(0, path.lastIndexOf('/'))
  for (const file of files) {
    const from = parentOf(file.path)
    const targets = file.imports
      .map(parentOf)
      .filter((to) => to !== from && !to.startsWith(`${from}/`) && !from.startsWith(`${to}/`))
    graph.set(from, [...(graph.get(from) ?? []), ...targets])
  }
  return graph
}

/** The cycles of a graph, one for each group of nodes that reach each other, starting at its first node by name. */
export function cyclesOf(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = []
  const settled = new Set<string>()
  const walk = (node: string, path: readonly string[]): void => {
    const start = path.indexOf(node)
    if (start >= 0) {
      cycles.push([...path.slice(start), node])
      return
    }
    if (settled.has(node)) return
    for (const next of graph.get(node) ?? []) walk(next, [...path, node])
    settled.add(node)
  }
  for (const node of [...graph.keys()].sort()) walk(node, [])
  return cycles
}
